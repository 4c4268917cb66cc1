// The part of an OpenAPI description that the page shows, made flat.

interface Content {
  example?: unknown;
}

interface Operation {
  summary?: string;
  description?: string;
  parameters?: { name: string; required?: boolean; description?: string; schema?: { default?: unknown } }[];
  requestBody?: { content: Record<string, Content> };
  responses: Record<string, { description: string; content?: Record<string, Content> }>;
}

export interface Description {
  info: { title: string; version: string; description: string };
  paths: Record<string, Record<string, Operation>>;
}

export interface ShownOperation {
  id: string;
  method: string;
  path: string;
  summary: string;
  description: string;
  parameters: { name: string; required: boolean; description: string; fallback: string }[];
  bodies: { kind: string; example: string }[];
  answers: { status: string; description: string; example: string }[];
  curl: string;
}

export function operations(description: Description): ShownOperation[] {
  return Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => shown(path, method, operation)),
  );
}

function shown(path: string, method: string, operation: Operation): ShownOperation {
  const answers = Object.entries(operation.responses).filter(([status]) => status !== "422");
  const bodies = Object.entries(operation.requestBody?.content ?? {});
  return {
    id: `${method}${path}`,
    method,
    path,
    summary: operation.summary ?? "",
    description: operation.description ?? "",
    parameters: (operation.parameters ?? []).map((parameter) => ({
      name: parameter.name,
      required: parameter.required ?? false,
      description: parameter.description ?? "",
      fallback: String(parameter.schema?.default ?? ""),
    })),
    bodies: bodies.map(([kind, content]) => ({ kind, example: example(content) })),
    answers: answers.map(([status, answer]) => ({
      status,
      description: answer.description,
      example: example(Object.values(answer.content ?? {})[0]),
    })),
    curl: curl(path, method, bodies[0]),
  };
}

function example(content: Content | undefined): string {
  if (content?.example === undefined) return "";
  return typeof content.example === "string" ? content.example : JSON.stringify(content.example, null, 1);
}

function curl(path: string, method: string, body: [string, Content] | undefined): string {
  const address = `${location.origin}${path}`;
  if (method !== "post" || !body) return `curl '${address}'`;
  return `curl '${address}' -H 'content-type: ${body[0]}' -d '${JSON.stringify(body[1].example)}'`;
}
