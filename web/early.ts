// A small script that runs while the large ones still come.
import type { Plugin } from "vite";

/** Have index.html run a module, which is one of the build's inputs, as soon as it came. */
export function early(module: string): Plugin {
  return {
    name: "early",
    transformIndexHtml: {
      order: "post",
      handler(_, { bundle, path }) {
        if (path !== "/index.html" || !bundle) return [];
        const script = Object.values(bundle).find((each) => each.type === "chunk" && each.facadeModuleId?.endsWith(module));
        if (!script) throw new Error(`no chunk is made of ${module}`);
        return [{ tag: "script", attrs: { type: "module", async: true, src: `/${script.fileName}` }, injectTo: "head-prepend" }];
      },
    },
  };
}
