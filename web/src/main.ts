import { mount } from "svelte";
import App from "./App.svelte";
import "./app.css";
import { speak } from "./lib/i18n";
import { pageOf } from "./lib/pages";
import { keepShell } from "./lib/shell";

pageOf(location.hash)
  .load() // comes while the texts do
  .catch(() => undefined); // App loads it again, and says so when it does not come
await speak();
const target = document.getElementById("app");
if (target) mount(App, { target });
keepShell();
