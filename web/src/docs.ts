import { mount } from "svelte";
import "./app.css";
import Docs from "./docs/Docs.svelte";
import { speak } from "./lib/i18n";
import "./lib/theme.svelte";

await speak();
const target = document.getElementById("app");
if (target) mount(Docs, { target });
