import { mount } from "svelte";
import App from "./App.svelte";
import "./app.css";
import { house } from "./lib/house.svelte";
import { speak } from "./lib/i18n";
import { opened, pageOf } from "./lib/pages";
import { measure } from "./lib/room";
import { keepShell } from "./lib/shell";

const PATIENCE_MS = 400; // a page that is built once, with its values, is ready sooner than one that is built and filled

const page = opened(pageOf(location.hash)).catch(() => null); // App loads it again, and says so when it does not come
const values = house.begin();
await speak();
const target = document.getElementById("app");
const first = await soon(Promise.all([page, values]).then(([content]) => content));
if (target) {
  measure(target);
  mount(App, { target, props: { first } });
}
keepShell();

/** What comes of it, or null when that takes too long: then the page shows what is still on its way. */
function soon<T>(coming: Promise<T>): Promise<T | null> {
  return Promise.race([coming, new Promise<null>((done) => setTimeout(done, PATIENCE_MS, null))]);
}
