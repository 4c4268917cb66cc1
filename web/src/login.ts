import { mount } from "svelte";
import "./app.css";
import { speak } from "./lib/i18n";
import "./lib/theme.svelte";
import Login from "./login/Login.svelte";

await speak();
const target = document.getElementById("app");
if (target) mount(Login, { target });
