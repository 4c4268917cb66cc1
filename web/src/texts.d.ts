// Half of a language's texts (web/texts.ts).
declare module "*.json?first" {
  const texts: Partial<Record<string, string>>;
  export default texts;
}

// What a language calls itself.
declare module "*.json?name" {
  const name: string;
  export default name;
}
