// The pages in the navigation, in its order; a page is added here when it exists, and loaded when it is opened. The first
// of them comes with the frame.
import type { Component } from "svelte";
import Now from "../now/Now.svelte";
import { type Key, speakWholly } from "./i18n";
import { icons } from "./icons";

export interface Page {
  path: string; // after the "#", one segment; what follows it in the address is the page's own
  title: Key;
  icon: string; // an SVG path in a box of 24
  group: "house" | "plant" | "rules"; // what is used, what measures and keeps it, and what is wanted of it
  load: () => Promise<{ default: Component }>;
}

/** A page whose texts come with it. */
function worded(load: Page["load"]): Page["load"] {
  return async () => (await Promise.all([load(), speakWholly()]))[0];
}

// Their order leaves room: bills and prepaid stand in "house", camera and sites in "plant".
export const pages: [Page, ...Page[]] = [
  { path: "/", title: "nav.now", icon: icons.now, group: "house", load: () => Promise.resolve({ default: Now }) },
  { path: "/energy", title: "nav.energy", icon: icons.energy, group: "house", load: worded(() => import("../energy/Energy.svelte")) },
  { path: "/places", title: "nav.places", icon: icons.places, group: "house", load: worded(() => import("../places/Places.svelte")) },
  {
    path: "/meters",
    title: "nav.meters",
    icon: icons.meters,
    group: "plant",
    load: worded(() => import("../meters/Meters.svelte")),
  },
  {
    path: "/storage",
    title: "nav.sinks",
    icon: icons.sinks,
    group: "plant",
    load: worded(() => import("../storage/Storage.svelte")),
  },
  {
    path: "/alerts",
    title: "nav.alerts",
    icon: icons.alerts,
    group: "rules",
    load: worded(() => import("../alerts/Alerts.svelte")),
  },
  {
    path: "/settings",
    title: "nav.settings",
    icon: icons.settings,
    group: "rules",
    load: worded(() => import("../settings/Settings.svelte")),
  },
];

/** A page with what it shows. */
export interface Opened {
  page: Page;
  content: Component;
}

/** Load a page. Throws when it does not come. */
export async function opened(page: Page): Promise<Opened> {
  return { page, content: (await page.load()).default };
}

/** The page of an address's hash: "#/meters/main-a" and "#/meters?all" are of the page "/meters". */
export function pageOf(hash: string): Page {
  const [, segment = ""] = /^#\/([^/?]*)/.exec(hash) ?? [];
  return pages.find((page) => page.path === `/${segment}`) ?? pages[0];
}
