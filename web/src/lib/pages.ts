// The pages in the navigation, in its order. A page is added here when it exists.
import type { Component } from "svelte";
import Now from "../now/Now.svelte";
import type { Key } from "./i18n";

export interface Page {
  path: string; // after the "#"
  title: Key;
  icon: string; // an SVG path in a box of 24
  component: Component;
}

export const pages: [Page, ...Page[]] = [
  { path: "/", title: "nav.now", icon: "M13 2 5 13.5h5.5L9.5 22 19 9.5h-6z", component: Now },
];
