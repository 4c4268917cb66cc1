// What the wizard's routes answer.

export interface Shown {
  name: string;
  title: string;
  unit: string;
  value: number;
}

/** What a meter said when it was tested. */
export interface Test {
  values: Shown[];
  doubted: string[];
}

export interface Found {
  address: number;
  baud: number; // 0 where it is not ours to set
  parity: string;
  stopbits: number;
  model: string; // "" = somebody answers, but as no model known here
  title: string;
  certain: boolean;
  also: string[];
  serial: string;
  values: Shown[];
  meter: string; // its name, when it stands in the configuration already
}

export interface Survey {
  port: string;
  line: string; // that is read meanwhile
  settings: string; // of that line, as "9600 8N1"
  state: "running" | "done" | "stopped" | "failed";
  error: string;
  done_s: number;
  total_s: number;
  doing: string;
  found: Found[];
  remarks: string[];
}

export interface Choices {
  ports: { port: string; line: string; settings: string }[]; // of a line that is read: settings "" = nobody else can be asked
  lines: { name: string; port: string }[];
  models: { name: string; title: string; protocol: string }[];
  scan: Survey | null;
}

/** A meter that is to be: found by a scan, or said by hand. */
export interface Draft {
  port: string;
  line: string; // of a line that the daemon reads already
  model: string;
  models: string[]; // to choose from; [] = every one
  address: string;
  baud: number;
  parity: string;
  stopbits: number;
  serial: string;
}

export function draftOf(port: string, found: Found): Draft {
  const { model, also, address, baud, parity, stopbits, serial } = found;
  const models = model ? [model, ...also] : [];
  const sure = also.length ? "" : model; // of several that cannot be told apart a person chooses
  return { port, line: "", model: sure, models, address: String(address), baud, parity, stopbits, serial };
}

export function draftBy(port: string, line: string): Draft {
  return { port, line, model: "", models: [], address: "", baud: 0, parity: "", stopbits: 0, serial: "" };
}

/** What the routes want to know of where it is asked. A typed address that is no number is sent as typed. */
export function device(draft: Draft): Record<string, unknown> {
  const { port, model, baud, parity, stopbits } = draft;
  const typed = draft.address.trim();
  const address = typed ? { address: /^\d+$/.test(typed) ? Number(typed) : typed } : {};
  return { port, model, ...address, ...(baud ? { baud, parity, stopbits } : {}) };
}
