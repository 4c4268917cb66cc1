// What flows: from the meters of sources through the house to whatever takes it, in watts.
import type { Meter, Reading, Virtual } from "../lib/api";

export type Tone = "utility" | "generator" | "solar" | "battery" | "load" | "rest";

export interface Node {
  id: string;
  name: string; // "" for what no meter tells: its words are the page's
  place: string;
  tone: Tone;
  power: number | null; // W, never negative; null when it is not known
}

export interface Group {
  place: string; // "" for a single node
  power: number | null;
  nodes: Node[];
}

export interface Flow {
  sources: Node[];
  groups: Group[];
  total: number | null; // what comes in, W
}

export const UNMEASURED = "unmeasured"; // what the house takes or gets beside its meters
const SLACK_W = 5; // meters are not read at the same instant,
const SLACK_SHARE = 0.03; // so that small differences mean nothing

/** Arrange the meters that tell a power; values of meters that are away are not known. */
export function flowOf(meters: Meter[], virtual: Virtual[], readings: Record<string, Reading>): Flow {
  const nodes = [...meters.map((meter) => ofMeter(meter, readings)), ...virtual.map((each) => ofVirtual(each, meters, readings))];
  const replaced = new Set(virtual.filter((each) => each.source).flatMap((each) => Object.keys(each.parts)));
  const known = nodes.filter((node) => node !== null && !replaced.has(node.id)) as Signed[];
  const sources = known.filter((node) => node.source && !takes(node)).map(plain);
  const loads = known.filter((node) => !node.source || takes(node)).map(plain);
  return balanced(sources, loads);
}

interface Signed extends Node {
  source: Meter["source"];
}

function ofMeter(meter: Meter, readings: Record<string, Reading>): Signed | null {
  const told = readings[meter.name]?.values.active_power;
  if (told === undefined && !meter.source) return null; // a meter of energy alone shows no flow
  const power = meter.state === "present" ? (told ?? null) : null;
  return { id: meter.name, name: meter.name, place: meter.location, ...kindOf(meter.source), power };
}

/** A virtual meter that is a source, or a remainder; a plain sum would show its parts twice. */
function ofVirtual(meter: Virtual, meters: Meter[], readings: Record<string, Reading>): Signed | null {
  const parts = Object.entries(meter.parts);
  if (!meter.source && parts.every(([, times]) => times > 0)) return null;
  const power = parts.reduce<number | null>((sum, [name, times]) => {
    const present = meters.find((each) => each.name === name)?.state === "present";
    const told = present ? readings[name]?.values.active_power : undefined;
    return sum === null || told === undefined ? null : sum + times * told;
  }, 0);
  return { id: meter.name, name: meter.name, place: meter.location, ...kindOf(meter.source), power };
}

function kindOf(source: Meter["source"]): Pick<Signed, "source" | "tone"> {
  return { source, tone: source || "load" };
}

/** A source that takes: energy sold to the utility, a battery that is charged. The sun only gives. */
function takes({ source, power }: Signed): boolean {
  return (source === "utility" || source === "battery") && power !== null && power < 0;
}

function plain({ id, name, place, tone, power }: Signed): Node {
  return { id, name, place, tone, power: power === null ? null : Math.abs(power) };
}

function balanced(sources: Node[], loads: Node[]): Flow {
  const [given, taken] = [sum(sources), sum(loads)];
  const told = sources.some((node) => node.power !== null);
  const slack = Math.max(SLACK_W, SLACK_SHARE * Math.max(given, taken));
  if (told && given - taken > slack) loads = [...loads, rest(given - taken)];
  if (taken - given > slack) sources = [...sources, rest(taken - given)];
  const all = told || loads.some((node) => node.power !== null) ? Math.max(given, taken) : null;
  return { sources, groups: grouped(loads), total: all };
}

function rest(power: number): Node {
  return { id: UNMEASURED, name: "", place: "", tone: "rest", power };
}

function sum(nodes: Node[]): number {
  return nodes.reduce((sum, { power }) => sum + (power ?? 0), 0);
}

/** Loads by the place they are in; a place of one load is the load. */
function grouped(loads: Node[]): Group[] {
  const groups = new Map<string, Node[]>();
  for (const node of loads) {
    const key = room(node.place) || node.id;
    groups.set(key, [...(groups.get(key) ?? []), node]);
  }
  return [...groups].map(([place, nodes]) => ({
    place: nodes.length > 1 ? place : "",
    power: nodes.every((node) => node.power === null) ? null : sum(nodes),
    nodes,
  }));
}

/** "house/cellar/heat pump" is in "house/cellar". */
function room(location: string): string {
  return location.split("/").filter(Boolean).slice(0, 2).join("/");
}
