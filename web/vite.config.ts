import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";
import { openedFirst } from "./opened_first";
import { halves } from "./texts";

const daemon = "http://127.0.0.1:8600"; // `npm run dev` beside `wattbook demo`

export default defineConfig({
  plugins: [halves(), svelte(), openedFirst("/src/now/Now.svelte")],
  base: "/",
  build: {
    outDir: "../src/wattbook/api/page",
    emptyOutDir: true,
    target: "es2022",
    // The page's policy allows no inline content, so small files stay files.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { index: "index.html", docs: "docs.html", login: "login.html", worker: "src/worker.ts" },
      // A worker rules over the folder that it comes from, and is looked for where it was.
      output: { entryFileNames: ({ name }) => (name === "worker" ? "worker.js" : "assets/[name]-[hash].js") },
    },
  },
  server: { proxy: { "/api": { target: daemon, changeOrigin: true, headers: { origin: daemon } } } },
});
