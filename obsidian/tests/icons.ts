// A stand-in for Obsidian, for tests only: a few rough icons.

const PATHS: Record<string, string> = {
  "arrow-left": "M19 12H5m7 7-7-7 7-7",
  bot: "M5 9h14v10H5zM12 9V5M9 13v2m6-2v2",
  check: "M5 12l5 5L20 7",
  "chevron-down": "M6 9l6 6 6-6",
  "circle-alert": "M12 3a9 9 0 100 18 9 9 0 000-18zm0 5v5m0 3v.5",
  "external-link": "M14 4h6v6m0-6-9 9M18 14v6H4V6h6",
  info: "M12 3a9 9 0 100 18 9 9 0 000-18zm0 4v.5m0 3V17",
  play: "M7 4l12 8-12 8z",
  "square-terminal": "M4 4h16v16H4zM8 9l3 3-3 3m5 0h4",
  "trash-2": "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13",
  "wifi-off": "M3 3l18 18M5 13a10 10 0 0114 0M9 17a5 5 0 016 0",
  x: "M6 6l12 12M18 6L6 18",
};

export function setIcon(parent: HTMLElement, icon: string): void {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 24 24", width: "16", height: "16", fill: "none", stroke: "currentColor", "stroke-width": "2" })) {
    svg.setAttribute(name, value);
  }
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[icon] ?? "M5 5h14v14H5z");
  svg.append(path);
  parent.replaceChildren(svg);
}
