// Grafana's own transformations: reads {transformations, frames} and writes the frames that come of it.
const { firstValueFrom } = require("rxjs");
const { getFieldDisplayName, standardTransformers, standardTransformersRegistry, toDataFrame, transformDataFrame } = require("@grafana/data");

globalThis.window = globalThis; // one of its modules looks whether a page is there
const known = new Map(Object.values(standardTransformers).map((each) => [each.id, each]));
standardTransformersRegistry.setInit(() =>
    [...known.values()].map((each) => ({ id: each.id, name: each.name, transformation: async () => each })));

const { transformations, frames } = JSON.parse(require("fs").readFileSync(0, "utf8"));
for (const { id } of transformations) {
    if (!known.has(id)) throw new Error(`Grafana has no transformation ${id}`);
}
firstValueFrom(transformDataFrame(transformations, frames.map((each) => toDataFrame(each)))).then((result) => {
    const plain = result.map((frame) => frame.fields.map((field) =>
        ({ name: getFieldDisplayName(field, frame, result), values: field.values })));
    process.stdout.write(JSON.stringify(plain));
});
