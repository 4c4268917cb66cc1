// One path in a box of 24 for each place of the navigation, drawn as a line.
export const icons = {
  now: "M13 2.5 5 13.5h6L10 21.5l9-12h-6.5z",
  energy: "M4 20V11M9.3 20V4M14.6 20v-7M20 20V8",
  places: "M3.5 11 12 4l8.5 7M6 9.5V20h12V9.5M10 20v-5.5h4V20",
  meters: "M5 3.5h14v17H5zM8 7h8v4H8zM8.5 15h.01M12 15h.01M15.5 15h.01M8.5 17.8h7",
  alerts: "M6.5 10a5.5 5.5 0 0 1 11 0c0 5 2 6.5 2 6.5h-15s2-1.5 2-6.5M10 19.8a2.2 2.2 0 0 0 4 0",
  sinks: "M5 6c0-1.4 3.1-2.5 7-2.5s7 1.1 7 2.5-3.1 2.5-7 2.5S5 7.4 5 6zM5 6v12c0 1.4 3.1 2.5 7 2.5s7-1.1 7-2.5V6M5 12c0 1.4 3.1 2.5 7 2.5s7-1.1 7-2.5",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M13 7a2 2 0 1 0 4 0 2 2 0 1 0-4 0M7 17a2 2 0 1 0 4 0 2 2 0 1 0-4 0",
  utility: "M8 21 11 3h2l3 18M9.3 13.5h5.4M6 8h12M10.2 8l5 9.5M13.8 8l-5 9.5",
  generator: "M4 8h16v9H4zM7 17v2.5M17 17v2.5M8 8V5h5v3M12.5 10l-2 2.5h3l-2 2.5",
  solar: "M12 8.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM12 3v2.2M12 18.8V21M3 12h2.2M18.8 12H21M5.6 5.6l1.6 1.6M16.8 16.8l1.6 1.6M18.4 5.6l-1.6 1.6M7.2 16.8l-1.6 1.6",
  battery: "M5 7h14v12H5zM8.5 7V4.5M15.5 7V4.5M8 13h3M14.5 11.5v3M13 13h3",
  load: "M9 3v5M15 3v5M6.5 8h11v3.5a5.5 5.5 0 0 1-11 0zM12 17v4",
  rest: "M4 12h3M10.5 12h3M17 12h3",
  more: "M4.5 12h1M11.5 12h1M18.5 12h1",
} as const;
