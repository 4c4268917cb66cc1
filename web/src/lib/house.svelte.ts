// Everything the page knows about the meters: asked for once, then kept fresh by the live stream.
import {
  ask, askDated, type About, type AlertsNow, type Columns, type Meter, type Opening, type Quantity, type Reading, type Supply, type Virtual,
} from "./api";
import { whenShown } from "./idle";
import { me } from "./me.svelte";
import { remember, remembered } from "./remember";
import { askDays, type Day } from "./today";

export const CHART_MINUTES = 60; // as long as the past of /api/v1/opening
const CHART_S = CHART_MINUTES * 60;
const POINTS_MAX = 4000; // an hour of a reading a second; what comes faster shortens the past
const DAYS_MS = 120_000; // how often today's energy is asked for
const REMEMBER_MS = 30_000;
const CHECK_MS = 10_000; // a network that is gone is not noticed by an open stream
const RETRY_MS = 2000;
const OPENING_MS = 20_000; // the last hour of every meter is in it

export type Connection = "connecting" | "open" | "lost";

/** Power over time: seconds since 1970 and watts, as uPlot takes them; a null is a gap. */
export interface Trace {
  at: number[];
  power: (number | null)[];
}

/** The last hour of a trace, and no more points than a chart needs. */
function kept(at: number[], power: (number | null)[]): Trace {
  const from = at.findIndex((second) => second >= (at.at(-1) ?? 0) - CHART_S);
  const first = Math.max(from, at.length - POINTS_MAX);
  return { at: at.slice(first), power: power.slice(first) };
}

function isSame(one: Reading, other: Reading | undefined): boolean {
  const told = ({ at, values, quality, doubt }: Reading) => JSON.stringify([at, values, quality, doubt]);
  return other !== undefined && told(one) === told(other);
}

class House {
  about = $state.raw<About | null>(null);
  meters = $state.raw<Meter[]>([]);
  virtual = $state.raw<Virtual[]>([]);
  supply = $state.raw<Supply | null>(null);
  alerts = $state.raw<AlertsNow | null>(null); // null: no rule watches, or it is not known yet
  readings = $state.raw<Record<string, Reading>>({}); // a meter's is replaced as a whole
  traces = $state.raw<Record<string, Trace>>({});
  quantities = $state.raw<Record<string, Quantity>>({});
  days = $state.raw<Record<string, Day>>({}); // today's energy of each meter
  connection = $state<Connection>("connecting");
  now = $state(Date.now()); // what ages are told by; it stands still when the connection is lost
  clock = $state(Date.now()); // it never stands still
  heard = $state(0); // when anything last came, by the daemon's clock
  loaded = $state(false); // the newest readings were asked for and came
  charted = $state(false); // and so were the charts' pasts, which no browser remembers

  #skew = 0; // the daemon's clock minus ours, in milliseconds
  #stream: EventSource | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined; // one at a time, whoever noticed the loss
  #callOff: () => void = () => undefined; // what waits until the page is shown
  #stopped = false;
  #begun: Promise<void> | null = null;
  #asked = new Set<string>(); // names of quantities asked for, known or not

  /** Ask for everything at once, even before there is a page to show it in, and listen then. Done when all came, or did not. */
  begin(): Promise<void> {
    return (this.#begun ??= this.#open());
  }

  /** Keep it fresh; returns what stops it. */
  start(): () => void {
    const tick = setInterval(() => this.#tick(), 1000);
    const check = setInterval(() => void this.#check(), CHECK_MS);
    const days = setInterval(() => void this.#askDays(), DAYS_MS);
    const save = setInterval(() => this.#remember(), REMEMBER_MS);
    const wake = () => {
      if (document.visibilityState === "hidden") return this.#remember();
      void this.#check();
      void this.#askDays(); // nobody asked meanwhile
    };
    document.addEventListener("visibilitychange", wake);
    this.#stopped = false;
    void this.begin();
    return () => {
      this.#remember();
      this.#stopped = true;
      this.#begun = null;
      clearTimeout(this.#retry);
      this.#callOff();
      clearInterval(tick);
      for (const each of [check, days, save]) clearInterval(each);
      document.removeEventListener("visibilitychange", wake);
      this.#stream?.close();
    };
  }

  /** The page's clock stands still with everything else when the connection is lost. */
  #tick(): void {
    this.clock = Date.now() + this.#skew;
    if (this.connection !== "lost") this.now = this.clock;
  }

  async #open(): Promise<void> {
    this.#callOff();
    this.#stream?.close();
    try {
      await this.#askAll();
    } catch (error) {
      console.info("the house is not known:", error);
      this.#recall();
      this.#lost();
      return;
    }
    if (this.#stopped) return;
    // The stream begins with the newest readings, which are here already: it may wait until they are on the screen.
    this.#callOff = whenShown(() => this.#listen());
  }

  /** Everything that a page shows first, at once, so that nothing on it is drawn twice. */
  async #askAll(): Promise<void> {
    const { answer, date } = await askDated<Opening>("opening", {}, OPENING_MS);
    const skew = (date ?? Date.now()) - Date.now();
    this.#skew = Math.abs(skew) > 3000 ? skew : 0; // the Date header is cut to seconds
    this.heard = Date.now() + this.#skew;
    const { about, meters, virtual, supply, readings, past } = answer;
    me.take(answer.me);
    this.#know(answer.quantities);
    for (const { name } of answer.quantities) this.#asked.add(name);
    const newer = readings.filter(({ meter, at }) => (this.readings[meter]?.at ?? "") < at);
    this.readings = { ...this.readings, ...Object.fromEntries(newer.map((reading) => [reading.meter, reading])) };
    this.traces = { ...this.traces, ...Object.fromEntries(past.map((told) => this.#grown(told))) };
    Object.assign(this, { about, meters, virtual, supply, loaded: true, charted: true });
  }

  /** Show the last values that this browser knows, until the daemon answers. */
  #recall(): void {
    if (this.about) return; // what is on the screen is newer
    const last = remembered();
    if (!last) return;
    const { heard, about, meters, virtual, supply, readings, quantities } = last;
    Object.assign(this, { heard, about, meters, virtual, supply, readings, quantities, loaded: true });
    for (const name of Object.keys(quantities)) this.#asked.add(name);
  }

  #remember(): void {
    if (this.connection !== "open" || !this.about) return;
    const { heard, about, meters, virtual, supply, quantities, readings } = this;
    remember({ heard, about, meters, virtual, supply, quantities, readings });
  }

  async #askDays(): Promise<void> {
    if (this.connection === "lost" || document.visibilityState === "hidden") return;
    try {
      this.days = await askDays(this.readings, this.now, this.about?.timezone ?? "UTC");
    } catch (error) {
      console.info("today's energy is not known:", error); // asked again soon; a lost connection is told elsewhere
    }
  }

  #listen(): void {
    this.#stream?.close();
    const stream = new EventSource("/api/v1/live");
    this.#stream = stream;
    this.alerts = null; // a daemon without rules says nothing of them
    stream.onopen = () => {
      this.#isOpen();
      this.#callOff = whenShown(() => {
        this.#remember();
        void this.#askDays();
      });
    };
    stream.onmessage = (event) => {
      this.#isOpen();
      this.#take(JSON.parse(event.data as string) as Reading);
    };
    stream.addEventListener("status", (event) => {
      this.#isOpen();
      const changed = JSON.parse(event.data as string) as Meter;
      this.meters = this.meters.map((meter) => (meter.name === changed.name ? changed : meter));
    });
    stream.addEventListener("supply", (event) => {
      this.#isOpen();
      this.supply = JSON.parse(event.data as string) as Supply;
    });
    stream.addEventListener("alerts", (event) => {
      this.#isOpen();
      this.alerts = JSON.parse(event.data as string) as AlertsNow;
    });
    stream.onerror = () => {
      stream.close();
      if (this.#stream === stream) this.#lost();
    };
  }

  /** Ask for what the stream does not carry; a failure shows that the connection is gone. */
  async #check(): Promise<void> {
    if (this.connection !== "open") return;
    try {
      this.meters = await ask<Meter[]>("meters");
      this.supply = await ask<Supply>("supply");
      this.about = await ask<About>("about");
      this.heard = Date.now() + this.#skew;
    } catch {
      this.#lost();
    }
  }

  /** Ask anew what has just been changed. */
  async refresh(): Promise<void> {
    // A daemon that begins anew has ended the stream: what it says now is told by the next one.
    clearTimeout(this.#retry);
    await (this.connection === "open" ? this.#check() : this.#open());
  }

  #isOpen(): void {
    this.connection = "open";
    this.heard = Date.now() + this.#skew;
  }

  /** Say that nothing comes any more, and try again soon. */
  #lost(): void {
    this.connection = "lost";
    this.#callOff();
    this.#stream?.close();
    clearTimeout(this.#retry);
    if (!this.#stopped) this.#retry = setTimeout(() => void this.#open(), RETRY_MS);
  }

  #take(reading: Reading): void {
    if (isSame(reading, this.readings[reading.meter])) return; // a stream begins with what the page opened with
    this.readings = { ...this.readings, [reading.meter]: reading };
    void this.#learn(Object.keys(reading.values));
    const power = reading.values.active_power;
    if (power === undefined) return;
    const trace = this.traces[reading.meter] ?? { at: [], power: [] };
    const at = Date.parse(reading.at) / 1000;
    // The same reading may come again, and a clock may be set back; a chart only goes forward.
    const before = trace.at.findLastIndex((each) => each < at) + 1;
    const grown = kept([...trace.at.slice(0, before), at], [...trace.power.slice(0, before), power]);
    this.traces = { ...this.traces, [reading.meter]: grown };
  }

  /** A meter's past with what came live meanwhile. */
  #grown({ meter, columns: { steps_ms, value: power } }: Columns): [string, Trace] {
    let ms = 0;
    const at = steps_ms.map((step) => (ms += step) / 1000);
    const live = this.traces[meter] ?? { at: [], power: [] };
    const fresh = live.at.findIndex((second) => second > (at.at(-1) ?? 0));
    return [meter, fresh < 0 ? { at, power } : kept([...at, ...live.at.slice(fresh)], [...power, ...live.power.slice(fresh)])];
  }

  #know(quantities: Quantity[]): void {
    this.quantities = { ...this.quantities, ...Object.fromEntries(quantities.map((each) => [each.name, each])) };
  }

  async #learn(names: string[]): Promise<void> {
    const unknown = [...new Set(names)].filter((name) => !this.#asked.has(name));
    if (!unknown.length) return;
    for (const name of unknown) this.#asked.add(name);
    try {
      this.#know(await ask<Quantity[]>("quantities", { name: unknown }));
    } catch {
      for (const name of unknown) this.#asked.delete(name); // asked again with the next reading
    }
  }
}

export const house = new House();
