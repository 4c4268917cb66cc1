// The power of several meters on one grid of instants, each kind of source on top of the one before.
import type { Meter, Reading } from "../lib/api";
import type { Trace } from "../lib/house.svelte";
import type { Tone } from "./flow";

export interface Layer {
  tone: Exclude<Tone, "rest">;
  meters: string[];
}

export interface Stack {
  at: number[]; // seconds since 1970
  tops: (number | null)[][]; // W: of each layer with all below it; null where nothing is known of any
}

const STEP_S = 5;
const AROUND = 8; // steps on either side that tell how often a meter was read then: its pace may have changed
const KNOWN_STEPS = 3; // a reading tells nothing any more when so many of its meter are missing,
const KNOWN_MIN_S = 15; // but not so soon,
const KNOWN_MAX_S = 90; // and surely by then

export function stacked(traces: Record<string, Trace>, layers: Layer[], end: number, spanS: number): Stack {
  const first = Math.ceil((end - spanS) / STEP_S) * STEP_S;
  const at = Array.from({ length: Math.floor((end - first) / STEP_S) + 1 }, (_, step) => first + step * STEP_S);
  if (at.at(-1) !== end) at.push(end);
  const powers = layers.map(({ meters }) => together(meters.flatMap((name) => traces[name] ?? []), at));
  const tops = powers.map((_, layer) => at.map((_, row) => topOf(powers, layer, row)));
  return { at, tops };
}

/** The sum up to a layer; null only where no layer knows anything, so that one silent source hides no other. */
function topOf(powers: (number | null)[][], layer: number, row: number): number | null {
  if (powers.every((each) => each[row] === null)) return null;
  return powers.slice(0, layer + 1).reduce((sum, each) => sum + Math.max(0, each[row] ?? 0), 0);
}

function together(traces: Trace[], at: number[]): (number | null)[] {
  const each = traces.map((trace) => onGrid(trace, at));
  return at.map((_, row) => each.reduce<number | null>((sum, values) => added(sum, values[row] ?? null), null));
}

function added(sum: number | null, value: number | null): number | null {
  return value === null ? sum : (sum ?? 0) + value;
}

/** The last value before each instant. */
function onGrid(trace: Trace, at: number[]): (number | null)[] {
  let [row, usual, known] = [-1, 0, 0];
  return at.map((instant) => {
    const before = row;
    while ((trace.at[row + 1] ?? Infinity) <= instant) row++;
    const [since, next] = [trace.at[row], trace.at[row + 1]];
    if (since === undefined) return null;
    if (row !== before) {
      usual = usualS(trace.at, Math.max(0, row - AROUND), Math.min(row + AROUND, trace.at.length - 1));
      known = Math.min(Math.max(KNOWN_STEPS * usual, KNOWN_MIN_S), KNOWN_MAX_S);
    }
    const silent = next !== undefined && next - since > known; // it is known by now that nothing came
    return instant - since > (silent ? usual : known) ? null : (trace.power[row] ?? null);
  });
}

const steps = new Float64Array(2 * AROUND); // one for all: this is asked for every point of the chart, every second

/** How often a meter was read from one row to another. */
function usualS(at: number[], from: number, to: number): number {
  for (let row = from; row < to; row++) steps[row - from] = (at[row + 1] ?? 0) - (at[row] ?? 0);
  return steps.subarray(0, to - from).sort()[Math.floor((to - from) / 2)] ?? KNOWN_MAX_S;
}

export const SOURCES = ["utility", "generator", "solar", "battery"] as const;

/** What is stacked: the kinds of sources that tell their power; where none does, the loads. */
export function layersOf(meters: Meter[], readings: Record<string, Reading>): Layer[] {
  const telling = meters.filter((meter) => readings[meter.name]?.values.active_power !== undefined);
  const of = (tone: Layer["tone"], source: string): Layer => ({
    tone,
    meters: telling.filter((meter) => meter.source === source).map(({ name }) => name),
  });
  const layers = SOURCES.map((tone) => of(tone, tone)).filter((layer) => layer.meters.length);
  return layers.length ? layers : [of("load", "")].filter((layer) => layer.meters.length);
}
