/** Light and dark by the reader's own setting; colours never stand alone, each has its word beside it. */
export const STATUS_PAGE_STYLE = `
:root {
  --page: #f6f7f9; --card: #fff; --ink: #16191d; --quiet: #59626d; --line: #dfe3e8;
  --ok: #1a7f45; --some: #b26a00; --wrong: #c6262e; --unknown: #9aa4af; --tint: #fdecec;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f1215; --card: #181c21; --ink: #eceff2; --quiet: #a3adb8; --line: #2b323a;
    --ok: #45c17a; --some: #eaa53b; --wrong: #ff6b6f; --unknown: #5a6470; --tint: #32181a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.45 system-ui, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 1.25rem 1rem 3rem; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; }
h2 { font-size: 1.05rem; margin: 0 0 .25rem; }
h3 { font-size: 1rem; font-weight: 600; margin: 0; min-width: 0; overflow-wrap: anywhere; }
p { margin: 0; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem; margin-top: 1rem; }
.incident { background: var(--tint); border-color: var(--wrong); overflow-wrap: anywhere; }
.incident p, footer, .latency, .drill { color: var(--quiet); font-size: .875rem; }
.verdict { font-size: 1.125rem; font-weight: 600; }
.ok { color: var(--ok); } .wrong { color: var(--wrong); } .unknown { color: var(--quiet); }
article { display: grid; grid-template-columns: 1fr auto; gap: .35rem .75rem; padding: .75rem 0; }
article + article { border-top: 1px solid var(--line); }
.status { font-weight: 600; }
.history { grid-column: 1 / -1; width: 100%; height: 26px; display: block; }
.latency { grid-column: 1 / -1; display: flex; gap: .5rem; align-items: center; white-space: nowrap; }
.drill { grid-column: 1 / -1; overflow-wrap: anywhere; }
.spark { flex: 1; min-width: 0; height: 22px; }
.spark polyline { fill: none; stroke: var(--quiet); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
rect.ok { fill: var(--ok); } rect.some { fill: var(--some); } rect.wrong { fill: var(--wrong); } rect.unknown { fill: var(--unknown); }
footer { margin-top: 1rem; }
`;
