import { mount } from "svelte";
import Docs from "./docs/Docs.svelte";
import "./app.css";

const target = document.getElementById("app");
if (target) mount(Docs, { target });
