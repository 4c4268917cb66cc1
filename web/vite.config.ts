import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";
import { readAtOnce } from "./early";
import { halves } from "./texts";

// What the dashboard, the login and the page of the API have in common.
const OF_EVERY_PAGE = /node_modules\/svelte\/|web\/src\/(app\.css|frame\/(Icon|Preferences|speaking)|lib\/(api|format|i18n|icons|intl|kept|leave|order|theme))/;
// What the dashboard shows first.
const OF_THE_HOUSE = /node_modules\/uplot\/|web\/src\/(App|frame\/|now\/)|web\/src\/lib\/(?!form|MayNot|configuration|paper)/;
const daemon = "http://127.0.0.1:8600"; // `npm run dev` beside `wattbook demo`

export default defineConfig({
  plugins: [halves(), svelte(), readAtOnce()],
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
      output: {
        // In one file: a small one takes a phone as long to ask for as to read.
        codeSplitting: {
          groups: [
            { name: "core", test: OF_EVERY_PAGE, priority: 2 },
            { name: "house", test: OF_THE_HOUSE, priority: 1 },
          ],
        },
        entryFileNames: ({ name }) => (name === "worker" ? "worker.js" : "assets/[name]-[hash].js"),
      },
    },
  },
  server: { proxy: { "/api": { target: daemon, changeOrigin: true, headers: { origin: daemon } } } },
});
