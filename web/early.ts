// Scripts that a browser may read wholly while they come.
import type { Plugin } from "vite";

// Nearly all that is in these is used before anything is seen. Told so (V8's "explicit compile hints"), a browser prepares their
// functions beside the page's own thread, and not one by one upon it; another browser sees a comment.
const FIRST = ["core", "house", "index", "login"];
const HINT = "//# allFunctionsCalledOnLoad\n";

/** Put the hint before what the first page consists of; it is heard at the very beginning of a file only. */
export function readAtOnce(): Plugin {
  return {
    name: "read-at-once",
    generateBundle: {
      order: "post",
      handler(_, files) {
        for (const file of Object.values(files)) {
          if (file.type === "chunk" && FIRST.includes(file.name)) file.code = HINT + file.code;
        }
      },
    },
  };
}
