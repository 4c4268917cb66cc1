// The events of a meter's life, as the daemon tells them, and what each is in words.
import type { Quantity } from "../lib/api";
import { text } from "../lib/format";
import { type Key, t } from "../lib/i18n";

export interface LifeEvent {
  number: number;
  kind: string; // "meter.replaced"
  entered: string;
  who: string;
  why: string;
  state: "holds" | "undone" | "open" | "decided";
  readings: number; // written anew by it
  undoes?: number;
  body: {
    from?: string;
    kind?: string; // of a proposal: what it would enter
    registers?: Record<string, { before?: number; after?: number; modulus?: number }>;
    location?: string;
    ct?: number;
    pt?: number;
    swap?: boolean;
    turn?: boolean;
    phases?: string[];
    [more: string]: unknown;
  };
}

const KINDS: Record<string, Key> = {
  "meter.installed": "meter.life_installed",
  "meter.replaced": "meter.life_replaced",
  "meter.reset": "meter.life_reset",
  "meter.rollover": "meter.life_rollover",
  "meter.ratio": "meter.life_ratio",
  "meter.rewired": "meter.life_rewired",
  "meter.moved": "meter.life_moved",
  "meter.undone": "meter.life_undone",
  "meter.corrected": "meter.life_corrected",
  "meter.accepted": "meter.life_accepted",
  "meter.dropped": "meter.life_dropped",
  "meter.proposed": "meter.life_proposed",
};

export function kindWords(event: LifeEvent): string {
  const key = KINDS[event.kind];
  const name = key ? t(key) : event.kind;
  if (event.undoes !== undefined) return `${name} ${event.undoes}`;
  const proposed = event.body.kind ? KINDS[event.body.kind] : undefined;
  return proposed ? `${name}: ${t(proposed)}` : name;
}

/** What it says of registers, place, factors and wiring; a line each. */
export function details({ body }: LifeEvent, quantities: Record<string, Quantity>): string[] {
  const lines = Object.entries(body.registers ?? {}).map(([name, its]) => {
    const { title, unit } = quantities[name] ?? { title: name, unit: "" };
    if (its.modulus !== undefined) return `${title}: ${t("meter.modulus")} ${text(its.modulus, unit)}`;
    const [before, after] = [its.before, its.after].map((each) => (each === undefined ? "?" : text(each, unit)));
    return `${title}: ${before} → ${after}`;
  });
  if (body.location) lines.push(body.location);
  if (body.ct !== undefined) lines.push(`${t("meter.ct")} ${body.ct}, ${t("meter.pt")} ${body.pt ?? 1}`);
  if (body.swap) lines.push(t("meter.swap"));
  if (body.turn) lines.push(t("meter.turn"));
  if (body.phases) lines.push(body.phases.map((each) => each.toUpperCase()).join(", "));
  return lines;
}

/** Whether it can be undone: what undid another cannot, nor what is undone or decided. */
export function undoable(event: LifeEvent): boolean {
  return event.kind !== "meter.undone" && (event.state === "holds" || event.state === "open");
}
