import { mount } from "svelte";
import "./app.css";
import Docs from "./docs/Docs.svelte";
import { speak, speakWholly } from "./lib/i18n";
import "./lib/theme.svelte";

await Promise.all([speak(), speakWholly()]);
const target = document.getElementById("app");
if (target) mount(Docs, { target });
