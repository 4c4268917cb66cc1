// How this reader writes numbers and times: the browser looks that up once, here, while the larger scripts come.
const { language } = navigator;
new Intl.NumberFormat(language).format(0.5);
new Intl.DateTimeFormat(language, { timeZone: "Europe/Prague", timeStyle: "short" }).format(0);
