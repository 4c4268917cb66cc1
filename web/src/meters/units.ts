// Values between the API's base units and what people type: energies in kWh, everything else as it is.
import type { Quantity } from "../lib/api";

const THOUSANDS = new Set(["Wh", "varh", "VAh"]);

export function typedUnit(unit: string): string {
  return THOUSANDS.has(unit) ? `k${unit}` : unit === "1" ? "" : unit;
}

/** A typed number in base units; null when it is none. A comma is a decimal point here. */
export function toBase(typed: string, unit: string): number | null {
  const text = typed.trim().replace(/[\s\u00a0\u202f]/g, "").replace(",", ".");
  if (!text || !Number.isFinite(Number(text))) return null;
  const value = Number(text);
  return THOUSANDS.has(unit) ? Math.round(value * 1e6) / 1e3 : value;
}

const DIGITS = 9; // what a meter tells; more are the rounding of a computer

export function fromBase(value: number, unit: string): string {
  return String(Number((THOUSANDS.has(unit) ? value / 1000 : value).toPrecision(DIGITS)));
}

export function registersOf(names: string[], quantities: Record<string, Quantity>): Quantity[] {
  return names.flatMap((name) => {
    const known = quantities[name];
    return known?.kind === "register" ? [known] : [];
  });
}
