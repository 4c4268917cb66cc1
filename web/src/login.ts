import { mount } from "svelte";
import Login from "./login/Login.svelte";
import "./app.css";

const target = document.getElementById("app");
if (target) mount(Login, { target });
