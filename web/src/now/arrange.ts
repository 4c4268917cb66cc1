// Which values of a reading stand where on a card: one large, gauges, a table of phases, registers, and the rest folded.
import type { Quantity, Reading } from "../lib/api";

export interface Value extends Quantity {
  value: number;
}

export interface Shelves {
  main: Value | undefined;
  gauges: Value[];
  phaseTitles: string[];
  phases: { phase: string; cells: (Value | undefined)[] }[];
  registers: Value[];
  more: Value[]; // behind "more values"
}

const ORDER = ["voltage", "current", "power_factor", "frequency", "reactive_power", "apparent_power"];
const MAIN = ["active_power", "active_energy_import", "active_energy_export"];
const PHASE = /^(.+)_(l[123])$/;
const BILLED = /^active_energy_(import|export)(_t\d+)?$/;
const SELDOM = /_(demand|max|min)$|_thd/; // statistics and distortion
const GAUGES_MAX = 6;
const REGISTERS_MAX = 6;
const FOLDED_MIN = 2; // one value takes no more room than the fold itself

export function arrange(reading: Reading | undefined, quantities: Record<string, Quantity>): Shelves {
  const values: Value[] = Object.entries(reading?.values ?? {}).flatMap(([name, value]) => {
    const known = quantities[name];
    return known ? [{ ...known, value }] : [];
  });
  const main = MAIN.map((name) => values.find((value) => value.name === name)).find(Boolean) ?? values[0];
  const rest = values.filter((value) => value !== main);
  const phased = rest.filter((value) => PHASE.test(value.name) && value.kind === "gauge");
  const gauges = rest.filter((value) => value.kind === "gauge" && !phased.includes(value));
  gauges.sort((a, b) => rank(a.name) - rank(b.name));
  const registers = rest.filter((value) => value.kind === "register");
  registers.sort((a, b) => (key(a.name) < key(b.name) ? -1 : 1));

  const doubted = (value: Value) => reading?.doubt?.[value.name] === "suspect"; // never behind the fold
  const front = [
    ...gauges.filter((value) => !seldom(value)).slice(0, GAUGES_MAX),
    ...registers.filter(billed).slice(0, REGISTERS_MAX),
  ];
  const more = [...gauges, ...registers].filter((value) => !front.includes(value) && !doubted(value));
  const folded = more.length < FOLDED_MIN ? [] : more;
  const shown = (value: Value) => !folded.includes(value);
  return {
    main,
    gauges: gauges.filter(shown),
    ...table(phased),
    registers: registers.filter(shown),
    more: folded,
  };
}

function seldom({ name, value }: Value): boolean {
  return name === "error_bits" ? value === 0 : SELDOM.test(name);
}

/** What is on the bill; a register that never counted is not, but for the first. */
function billed({ name, value }: Value): boolean {
  return BILLED.test(name) && (value !== 0 || name === "active_energy_import");
}

function rank(name: string): number {
  const place = ORDER.indexOf(name);
  return place < 0 ? ORDER.length : place;
}

/** Registers in the order of a bill: import before export, totals before tariffs. */
function key(name: string): string {
  return name.replace("_import", "_1").replace("_export", "_2");
}

function table(phased: Value[]): Pick<Shelves, "phaseTitles" | "phases"> {
  const parts = phased.map((value) => ({ value, match: PHASE.exec(value.name) }));
  const bases = [...new Set(parts.map(({ match }) => match?.[1] ?? ""))].sort((a, b) => rank(a) - rank(b));
  const phases = [...new Set(parts.map(({ match }) => match?.[2] ?? ""))].sort();
  const cell = (base: string, phase: string) => phased.find((value) => value.name === `${base}_${phase}`);
  return {
    phaseTitles: bases.map((base) => titleOf(phased, base)),
    phases: phases.map((phase) => ({ phase, cells: bases.map((base) => cell(base, phase)) })),
  };
}

/** The vocabulary titles a phase's value "Voltage, L1". */
function titleOf(phased: Value[], base: string): string {
  const title = phased.find((value) => value.name.startsWith(`${base}_l`))?.title ?? base;
  return title.replace(/, L\d$/, "");
}
