// Half of a language's texts (web/texts.ts).
declare module "*.json?first" {
  const texts: Partial<Record<string, string>>;
  export default texts;
}
