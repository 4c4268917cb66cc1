// One path in a box of 24 for each place of the navigation, drawn as a line.
export const icons = {
  now: "M13 2.5 5 13.5h6L10 21.5l9-12h-6.5z",
  energy: "M4 20V11M9.3 20V4M14.6 20v-7M20 20V8",
  places: "M3.5 11 12 4l8.5 7M6 9.5V20h12V9.5M10 20v-5.5h4V20",
  meters: "M5 3.5h14v17H5zM8 7h8v4H8zM8.5 15h.01M12 15h.01M15.5 15h.01M8.5 17.8h7",
  alerts: "M6.5 10a5.5 5.5 0 0 1 11 0c0 5 2 6.5 2 6.5h-15s2-1.5 2-6.5M10 19.8a2.2 2.2 0 0 0 4 0",
  sinks: "M5 6c0-1.4 3.1-2.5 7-2.5s7 1.1 7 2.5-3.1 2.5-7 2.5S5 7.4 5 6zM5 6v12c0 1.4 3.1 2.5 7 2.5s7-1.1 7-2.5V6M5 12c0 1.4 3.1 2.5 7 2.5s7-1.1 7-2.5",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M13 7a2 2 0 1 0 4 0 2 2 0 1 0-4 0M7 17a2 2 0 1 0 4 0 2 2 0 1 0-4 0",
  more: "M5 12h.01M12 12h.01M19 12h.01",
} as const;
