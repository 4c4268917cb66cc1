// Everything the page knows about the meters: asked for once, then kept fresh by the live stream.
import { ask, askDated, type About, type AlertsNow, type Columns, type Meter, type Quantity, type Reading, type Supply, type Virtual } from "./api";
import { remember, remembered } from "./remember";
import { askDays, type Day } from "./today";

export const CHART_MINUTES = 60;
const CHART_S = CHART_MINUTES * 60;
const POINTS_MAX = 4000; // an hour of a reading a second; what comes faster shortens the past
const PAST_POINTS = 720; // of the book, with its peaks: one in 5 s
const DAYS_MS = 120_000; // how often today's energy is asked for
const REMEMBER_MS = 30_000;
const CHECK_MS = 10_000; // a network that is gone is not noticed by an open stream
const RETRY_MS = 2000;

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

class House {
  about = $state.raw<About | null>(null);
  meters = $state.raw<Meter[]>([]);
  virtual = $state.raw<Virtual[]>([]);
  supply = $state.raw<Supply | null>(null);
  alerts = $state.raw<AlertsNow | null>(null); // null: no rule watches, or it is not known yet
  readings = $state<Record<string, Reading>>({});
  traces = $state.raw<Record<string, Trace>>({});
  quantities = $state.raw<Record<string, Quantity>>({});
  days = $state.raw<Record<string, Day>>({}); // today's energy of each meter
  connection = $state<Connection>("connecting");
  now = $state(Date.now()); // what ages are told by; it stands still when the connection is lost
  clock = $state(Date.now()); // it never stands still
  heard = $state(0); // when anything last came, by the daemon's clock
  loaded = $state(false); // the newest readings were asked for and came
  charted = $state(false); // and so were the charts' pasts

  #skew = 0; // the daemon's clock minus ours, in milliseconds
  #stream: EventSource | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined; // one at a time, whoever noticed the loss
  #stopped = false;
  #asked = new Set<string>(); // names of quantities asked for, known or not

  /** Begin; returns what stops it. */
  start(): () => void {
    const tick = setInterval(() => this.#tick(), 1000);
    const check = setInterval(() => void this.#check(), CHECK_MS);
    const days = setInterval(() => void this.#askDays(), DAYS_MS);
    const save = setInterval(() => this.#remember(), REMEMBER_MS);
    const wake = () => (document.visibilityState === "visible" ? void this.#check() : this.#remember());
    document.addEventListener("visibilitychange", wake);
    this.#stopped = false;
    void this.#open();
    return () => {
      this.#remember();
      this.#stopped = true;
      clearTimeout(this.#retry);
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
    this.#stream?.close();
    let past: Promise<Columns[]>;
    try {
      ({ past } = await this.#askAll());
    } catch {
      this.#recall();
      this.#lost();
      return;
    }
    if (this.#stopped) return;
    this.#listen();
    void this.#fill(past).then(() => this.#remember());
  }

  /** Everything that needs nothing else to be known: at once, and shown at once. */
  async #askAll(): Promise<{ past: Promise<Columns[]> }> {
    const [{ answer, date }, meters, virtual, supply, readings] = await Promise.all([
      askDated<About>("about"),
      ask<Meter[]>("meters"),
      ask<Virtual[]>("meters/virtual"),
      ask<Supply>("supply"),
      ask<Reading[]>("readings/latest"),
    ]);
    const skew = (date ?? Date.now()) - Date.now();
    this.#skew = Math.abs(skew) > 3000 ? skew : 0; // the Date header is cut to seconds
    const newer = readings.filter(({ meter, at }) => (this.readings[meter]?.at ?? "") < at);
    const past = this.#askPast(meters, readings); // comes while the cards are drawn
    // A card without them would be laid out twice.
    await this.#learn(newer.flatMap((reading) => Object.keys(reading.values)));
    Object.assign(this, { about: answer, meters, virtual, supply });
    for (const reading of newer) this.#take(reading, false);
    this.loaded = true;
    return { past };
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
    const { heard, about, meters, virtual, supply, quantities } = this;
    remember({ heard, about, meters, virtual, supply, quantities, readings: $state.snapshot(this.readings) });
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
    stream.onopen = () => this.#isOpen();
    stream.onmessage = (event) => {
      this.#isOpen();
      this.#take(JSON.parse(event.data as string) as Reading, true);
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
    this.#stream?.close();
    clearTimeout(this.#retry);
    if (!this.#stopped) this.#retry = setTimeout(() => void this.#open(), RETRY_MS);
  }

  #take(reading: Reading, live: boolean): void {
    this.readings[reading.meter] = reading;
    if (live) void this.#learn(Object.keys(reading.values));
    const power = reading.values.active_power;
    if (power === undefined || !live) return;
    const trace = this.traces[reading.meter] ?? { at: [], power: [] };
    const at = Date.parse(reading.at) / 1000;
    // The same reading may come again, and a clock may be set back; a chart only goes forward.
    const before = trace.at.findLastIndex((each) => each < at) + 1;
    const grown = kept([...trace.at.slice(0, before), at], [...trace.power.slice(0, before), power]);
    this.traces = { ...this.traces, [reading.meter]: grown };
  }

  /** Fill the charts from the book, and then what came today: that takes the daemon longer. */
  async #fill(past: Promise<Columns[]>): Promise<void> {
    const traces = await past;
    void this.#askDays();
    this.traces = { ...this.traces, ...Object.fromEntries(traces.map((told) => this.#grown(told))) };
    this.charted = true;
  }

  /** The last hour of every meter that tells its power. */
  async #askPast(meters: Meter[], readings: Reading[]): Promise<Columns[]> {
    const known = new Set(meters.map((meter) => meter.name)); // the book may know some that were taken away
    const meter = readings
      .filter((each) => each.values.active_power !== undefined && known.has(each.meter))
      .map((each) => each.meter);
    try {
      // All in one question: each chart that comes by itself makes the others' work again.
      const question = { meter, quantity: "active_power", from: `-${CHART_MINUTES}min`, points: String(PAST_POINTS), columns: "true" };
      const told = meter.length ? await ask<Columns | Columns[]>("query", question) : [];
      return [told].flat();
    } catch (error) {
      console.warn("no past of the meters:", error); // the charts begin with what comes live
      return [];
    }
  }

  /** A meter's past with what came live meanwhile. */
  #grown({ meter, columns: { steps_ms, value: power } }: Columns): [string, Trace] {
    let ms = 0;
    const at = steps_ms.map((step) => (ms += step) / 1000);
    const live = this.traces[meter] ?? { at: [], power: [] };
    const fresh = live.at.findIndex((second) => second > (at.at(-1) ?? 0));
    return [meter, fresh < 0 ? { at, power } : kept([...at, ...live.at.slice(fresh)], [...power, ...live.power.slice(fresh)])];
  }

  async #learn(names: string[]): Promise<void> {
    const unknown = [...new Set(names)].filter((name) => !this.#asked.has(name));
    if (!unknown.length) return;
    for (const name of unknown) this.#asked.add(name);
    try {
      const learned = await ask<Quantity[]>("quantities", { name: unknown });
      this.quantities = { ...this.quantities, ...Object.fromEntries(learned.map((each) => [each.name, each])) };
    } catch {
      for (const name of unknown) this.#asked.delete(name); // asked again with the next reading
    }
  }
}

export const house = new House();
