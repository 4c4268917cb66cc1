// Where the nodes of the flow stand, and the bands between them, in pixels.
import type { Flow, Node, Tone } from "./flow";

export const NODE_REM = 3.5;
const GAP_REM = 0.8;
const PLACE_REM = 1.75; // a heading over the loads of one place
const TITLE_REM = 3.6; // over the bar of the house
const HUB_HALF_REM = 0.35;
const BAND_MAX = 0.72; // of a node's height
const BAND_MIN_PX = 2;
const DOT_MAX_PX = 7;
const COLUMN = { share: 0.29, min: 7.4, max: 17, narrow: 0.36, narrowRem: 34 }; // as in FlowChart's style

export interface Size {
  width: number;
  rem: number;
}

export interface Row {
  id: string;
  top: number;
  node: Node | null; // null for the heading of a place
  place: string;
  power: number | null;
}

export interface Layout {
  height: number;
  hub: { top: number; height: number };
  sources: number[]; // tops
  loads: Row[];
  scale: number; // px for a watt
}

export interface Band {
  id: string;
  tone: Tone;
  power: number;
  path: string;
  thickness: number;
  dot: number;
}

export function placed(flow: Flow, { width, rem }: Size): Layout {
  const [node, gap] = [NODE_REM * rem, GAP_REM * rem];
  const title = narrow(width, rem) ? TITLE_REM * rem : 0; // over everything where it has no room between
  const rows = rowsOf(flow);
  const heights = rows.map((row) => (row.node ? node + gap : PLACE_REM * rem));
  const left = flow.sources.length * (node + gap) - gap;
  const right = heights.reduce((sum, each) => sum + each, 0) - gap;
  const scale = scaleOf(flow, node * BAND_MAX);
  const hub = Math.max(rem, (flow.total ?? 0) * scale);
  const inner = Math.max(left, right, hub + (title ? 0 : 2 * TITLE_REM * rem), 0);
  const centred = (height: number) => title + (inner - height) / 2;
  let top = centred(right);
  const loads = rows.map((row, place) => {
    const here = { ...row, top };
    top += heights[place] ?? 0;
    return here;
  });
  const sources = flow.sources.map((_, place) => centred(left) + place * (node + gap));
  return { height: title + inner, hub: { top: centred(hub), height: hub }, sources, loads, scale };
}

function rowsOf(flow: Flow): Omit<Row, "top">[] {
  return flow.groups.flatMap(({ place, power, nodes }) => [
    ...(place ? [{ id: `place ${place}`, node: null, place, power }] : []),
    ...nodes.map((node) => ({ id: node.id, node, place: "", power: node.power })),
  ]);
}

/** The widest band is not wider than a node lets it be. */
function scaleOf(flow: Flow, widest: number): number {
  const all = [...flow.sources, ...flow.groups.flatMap(({ nodes }) => nodes)];
  const most = Math.max(0, ...all.map(({ power }) => power ?? 0));
  return most ? widest / most : 0;
}

export function bandsOf(flow: Flow, layout: Layout, { width, rem }: Size): Band[] {
  const column = columnOf(width, rem);
  const hub = { left: width / 2 - HUB_HALF_REM * rem, right: width / 2 + HUB_HALF_REM * rem };
  const middle = (NODE_REM * rem) / 2;
  const from = flow.sources.map((node, place) => ({ node, y: (layout.sources[place] ?? 0) + middle }));
  const to = layout.loads.flatMap(({ node, top }) => (node ? [{ node, y: top + middle }] : []));
  return [
    ...along(from, layout, (y, at) => curve(column, y, hub.left, at)),
    ...along(to, layout, (y, at) => curve(hub.right, at, width - column, y)),
  ];
}

/** Bands of one side, one below the other where they meet the house. */
function along(ends: { node: Node; y: number }[], layout: Layout, path: (y: number, at: number) => string): Band[] {
  let at = layout.hub.top;
  return ends.flatMap(({ node, y }) => {
    if (!node.power) return [];
    const share = node.power * layout.scale;
    const thickness = Math.max(BAND_MIN_PX, share);
    const band = { id: node.id, tone: node.tone, power: node.power, path: path(y, at + share / 2), thickness };
    at += share;
    return [{ ...band, dot: Math.min(DOT_MAX_PX, Math.max(2.5, thickness / 4)) }];
  });
}

function narrow(width: number, rem: number): boolean {
  return width <= COLUMN.narrowRem * rem;
}

function columnOf(width: number, rem: number): number {
  if (narrow(width, rem)) return COLUMN.narrow * width;
  return Math.min(Math.max(COLUMN.share * width, COLUMN.min * rem), COLUMN.max * rem);
}

function curve(x1: number, y1: number, x2: number, y2: number): string {
  const middle = (x1 + x2) / 2;
  return `M${x1.toFixed(1)} ${y1.toFixed(1)}C${middle.toFixed(1)} ${y1.toFixed(1)} ${middle.toFixed(1)} ${y2.toFixed(1)} ${x2.toFixed(1)} ${y2.toFixed(1)}`;
}
