// The power of several meters on one grid of instants, each kind of source on top of the one before.
import { type Meter, type Reading, SOURCES } from "../lib/api";
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
export const AROUND = 8; // steps on either side that tell how often a meter was read then: its pace may have changed
export const KNOWN_STEPS = 3; // a reading tells nothing any more when so many of its meter are missing,
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
  let row = -1;
  return at.map((instant) => {
    while ((trace.at[row + 1] ?? Infinity) <= instant) row++;
    const [since, next] = [trace.at[row], trace.at[row + 1]];
    if (since === undefined) return null;
    const power = trace.power[row] ?? null;
    if ((next ?? instant) - since <= KNOWN_MIN_S) return power; // nearly all, whatever the meter's pace is
    const usual = usualS(trace.at.slice(Math.max(0, row - AROUND), row + AROUND + 1));
    const known = Math.min(Math.max(KNOWN_STEPS * usual, KNOWN_MIN_S), KNOWN_MAX_S);
    const silent = next !== undefined && next - since > known; // it is known by now that nothing came
    return instant - since > (silent ? usual : known) ? null : power;
  });
}

/** How often a meter was read at these instants. */
export function usualS(at: number[]): number {
  const steps = at.slice(1).map((each, row) => each - (at[row] ?? each));
  return steps.sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? KNOWN_MAX_S;
}

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
