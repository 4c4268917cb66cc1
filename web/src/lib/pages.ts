// The pages in the navigation, in its order; a page is added here when it exists, and loaded when it is opened.
import type { Component } from "svelte";
import type { Key } from "./i18n";
import { icons } from "./icons";

export interface Page {
  path: string; // after the "#", one segment; what follows it in the address is the page's own
  title: Key;
  icon: string; // an SVG path in a box of 24
  group: "house" | "plant" | "rules"; // what is used, what measures and keeps it, and what is wanted of it
  load: () => Promise<{ default: Component }>;
}

// Their order leaves room: bills and prepaid stand in "house", camera and sites in "plant".
export const pages: [Page, ...Page[]] = [
  { path: "/", title: "nav.now", icon: icons.now, group: "house", load: () => import("../now/Now.svelte") },
  { path: "/energy", title: "nav.energy", icon: icons.energy, group: "house", load: () => import("../energy/Energy.svelte") },
  { path: "/places", title: "nav.places", icon: icons.places, group: "house", load: () => import("../places/Places.svelte") },
  {
    path: "/meters",
    title: "nav.meters",
    icon: icons.meters,
    group: "plant",
    load: () => import("../meters/Meters.svelte"),
  },
  {
    path: "/storage",
    title: "nav.sinks",
    icon: icons.sinks,
    group: "plant",
    load: () => import("../storage/Storage.svelte"),
  },
  {
    path: "/alerts",
    title: "nav.alerts",
    icon: icons.alerts,
    group: "rules",
    load: () => import("../alerts/Alerts.svelte"),
  },
  {
    path: "/settings",
    title: "nav.settings",
    icon: icons.settings,
    group: "rules",
    load: () => import("../settings/Settings.svelte"),
  },
];

/** The page of an address's hash: "#/meters/main-a" and "#/meters?all" are of the page "/meters". */
export function pageOf(hash: string): Page {
  const [, segment = ""] = /^#\/([^/?]*)/.exec(hash) ?? [];
  return pages.find((page) => page.path === `/${segment}`) ?? pages[0];
}
