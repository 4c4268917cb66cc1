// wattbook.toml from a browser: what it says, what a form asks for, and changes of it, which are used at once.
//
//   const { tables } = await askConfiguration();
//   await addTable("alert", { name: "over 5 kW", kind: "above", quantity: "active_power", limit: 5000 });
//   await changeTable("alert", "over 5 kW", { limit: 6000, lasting: null }); // null: the key is taken away
//
// The three changes throw `Wrong` (lib/order.ts), whose `fields` are what Form.svelte shows beside its fields.
import { ask } from "./api";
import type { FormKey } from "./form/keys";
import { order } from "./order";

export type Value = string | number | boolean | null | Value[] | { [name: string]: Value };
export type Keys = Record<string, Value>;
export type ListTable = "alert" | "notify" | "sink" | "meter" | "line";
export type OneTable = "site" | "supply" | "backup";

export interface Problem {
  line: number | null;
  message: string;
}

export interface Configuration {
  file: string;
  state: "in force" | "changed" | "broken";
  since: string;
  problems: Problem[];
  tables: Record<ListTable, Keys[]> & Record<OneTable, Keys | null>;
}

export interface Forms {
  site: { keys: FormKey[] };
  supply: { keys: FormKey[] };
  backup: { keys: FormKey[] };
  alert: { keys: FormKey[]; kinds: Record<string, FormKey[]> };
  notify: { keys: FormKey[] };
  sink: { keys: FormKey[]; kinds: Record<string, FormKey[]>; missing: Record<string, string> };
  meter: { keys: FormKey[] };
  line: { keys: FormKey[] };
}

export interface Done {
  written: string; // the table as TOML, without secrets
  applied: boolean; // false: it is written, and used when wattbook begins again
}

const FORMS_WAIT_MS = 60_000; // the first time, the daemon imports every kind of sink: seconds, on a small machine more
let forms: Promise<Forms> | null = null;

export function askConfiguration(): Promise<Configuration> {
  return ask<Configuration>("configuration");
}

/** What forms ask for: of the daemon's release, so asked for once. */
export function askForms(): Promise<Forms> {
  forms ??= ask<Forms>("configuration/forms", {}, FORMS_WAIT_MS).catch((error: unknown) => {
    forms = null; // asked again by the next one
    throw error;
  });
  return forms;
}

export function addTable(table: ListTable, keys: Keys): Promise<Done> {
  return order<Done>("configuration", { do: "add", table, keys });
}

/** Keys that are not given stay as they are; a table of which there is one has no name. */
export function changeTable(table: ListTable | OneTable, name: string, keys: Keys): Promise<Done> {
  return order<Done>("configuration", { do: "change", table, name, keys });
}

export function removeTable(table: ListTable | "backup", name: string): Promise<Done> {
  return order<Done>("configuration", { do: "remove", table, name, keys: {} });
}
