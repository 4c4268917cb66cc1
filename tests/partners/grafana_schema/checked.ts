// A dashboard of `wattbook grafana` as Grafana's own types want it, with the options of every kind of panel that we use.
import type { Dashboard, Panel } from "./node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen";
import type * as barchart from "./node_modules/@grafana/schema/dist/types/raw/composable/barchart/panelcfg/x/types.gen";
import type * as bargauge from "./node_modules/@grafana/schema/dist/types/raw/composable/bargauge/panelcfg/x/types.gen";
import type * as stat from "./node_modules/@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen";
import type * as table from "./node_modules/@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen";
import type * as timeseries from "./node_modules/@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen";

/** The same type with words in the place of enumerations, as JSON has them. */
type Json<T> = T extends string ? `${T}` : T extends readonly (infer One)[] ? Json<One>[]
    : T extends object ? { [Key in keyof T]: Json<T[Key]> } : T;

type Plain = Json<Panel>;
type Config<Custom> = {
    defaults: Omit<NonNullable<Plain["fieldConfig"]>["defaults"], "custom"> & { custom: Json<Custom> };
    overrides: NonNullable<Plain["fieldConfig"]>["overrides"];
};
type Kind<Name extends string, Options, Custom> = Omit<Plain, "type" | "options" | "fieldConfig" | "targets"> & {
    type: Name; options: Json<Options>; fieldConfig: Config<Custom>; targets: Query[];
};

/** What the two data sources read of a query; the schema leaves it open. */
type Source = { type: string; uid: string };
type InfluxQuery = {
    refId: string; datasource: Source; query: string; rawQuery: true; resultFormat: "time_series" | "table"; alias?: string;
};
type SqlQuery = {
    refId: string; datasource: Source; rawSql: string; rawQuery: true; editorMode: "code"; format: "time_series" | "table";
};
type Query = InfluxQuery | SqlQuery;

export type Checked = Omit<Json<Dashboard>, "panels"> & {
    panels: (
        | Kind<"timeseries", timeseries.Options, timeseries.FieldConfig>
        | Kind<"stat", stat.Options, Record<string, never>>
        | Kind<"barchart", barchart.Options, barchart.FieldConfig>
        | Kind<"bargauge", bargauge.Options, Record<string, never>>
        | Kind<"table", table.Options, Partial<table.FieldConfig>>
    )[];
};
