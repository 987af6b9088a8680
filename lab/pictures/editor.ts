import { waitFor } from '../processes';
import type { Flow } from '../../lib/flows/flow';
import type { Page } from './browser';

/** What the editor shows of a flow, and what is wrong with how it looks. */
export interface Portrait {
  readonly png: Buffer;
  readonly mistakes: readonly string[];
}

/** Around the nodes, and what stands to the right of and below the last of them. */
const MARGIN = 60;
const WIDEST = 1_800;

/** Opens a flow in n8n's editor as its owner sees it, and takes a picture of the canvas alone. */
export async function portrait(page: Page, url: string, flow: Flow): Promise<Portrait> {
  const { width, height } = extent(flow);
  const zoom = Math.min(1, WIDEST / (width + 2 * MARGIN));
  await page.open(`${url}/workflow/${flow.id}`, {
    width: Math.ceil((width + 2 * MARGIN) * zoom) + 60,
    height: Math.ceil((height + 2 * MARGIN) * zoom) + 140,
  });
  await waitFor(
    `the editor shows ${flow.name}`,
    async () => ((await page.evaluate(CANVAS_THERE)) === true ? true : undefined),
    { within: 60_000 },
  );
  // Whatever else n8n draws there is not part of the flow; without its dots a picture is a third of the size.
  await page.evaluate(`{
    const style = document.createElement('style');
    style.textContent = '#sidebar, #header, [data-test-id="canvas-controls"], .vue-flow__panel, .vue-flow__background, .vue-flow__minimap, [class*="bottomBar"], [class*="_bottomMenu"], [data-test-id="canvas-controls"], .vue-flow ~ *, [class*="nodeButtons"], [class*="canvasButtons"], [class*="executionButtons"], [data-test-id="node-creator-plus-button"], [data-test-id="logs-panel"], [class*="n8n-toast"], .el-notification { display: none !important } *, *::before { transition: none !important; animation: none !important }';
    document.head.append(style);
  }`);
  await waitFor(
    `${flow.name} stands still, as a whole`,
    async () => ((await page.evaluate(`${FIT_AND_STILL}(${flow.nodes.length})`)) === true ? true : undefined),
    { within: 60_000 },
  );
  const mistakes = (await page.evaluate(MISTAKES)) as readonly string[];
  const box = (await page.evaluate(BOX)) as { x: number; y: number; width: number; height: number };
  return { png: await page.picture(box), mistakes };
}

function extent({ nodes }: Flow): { readonly width: number; readonly height: number } {
  const sides = nodes.map(({ position: [left, top], parameters }) => {
    const { width = 136, height = 136 } = parameters as { readonly width?: number; readonly height?: number };
    return { left, top, right: left + width, bottom: top + height };
  });
  const least = (name: 'left' | 'top') => Math.min(...sides.map((side) => side[name]));
  const most = (name: 'right' | 'bottom') => Math.max(...sides.map((side) => side[name]));
  return { width: most('right') - least('left'), height: most('bottom') - least('top') };
}

const CANVAS_THERE = `document.querySelector('.vue-flow__node .vue-flow__handle, .vue-flow__node [data-test-id="sticky"]') !== null`;

/** The key 1 shows the whole flow; the editor glides there, and draws only what is in view. */
const FIT_AND_STILL = `(async (wanted) => {
  const pane = document.querySelector('.vue-flow__transformationpane');
  const before = pane.style.transform;
  for (const target of [document.querySelector('.vue-flow'), document.body]) {
    target.dispatchEvent(new KeyboardEvent('keydown', { key: '1', code: 'Digit1', bubbles: true }));
    target.dispatchEvent(new KeyboardEvent('keyup', { key: '1', code: 'Digit1', bubbles: true }));
  }
  await new Promise((resolve) => setTimeout(resolve, 600));
  const drawn = document.querySelectorAll('.vue-flow__node').length;
  return before === pane.style.transform && drawn === wanted && [...document.images].every((one) => one.complete);
})`;

/** All that belongs to the flow, and a little air. */
const BOX = `(() => {
  const boxes = [...document.querySelectorAll('.vue-flow__node, .vue-flow__edge-path')].map((one) => one.getBoundingClientRect());
  const x = Math.max(0, Math.floor(Math.min(...boxes.map((one) => one.left))) - 16);
  const y = Math.max(0, Math.floor(Math.min(...boxes.map((one) => one.top))) - 16);
  return {
    x, y,
    width: Math.ceil(Math.max(...boxes.map((one) => one.right))) + 16 - x,
    height: Math.ceil(Math.max(...boxes.map((one) => one.bottom))) + 16 - y,
  };
})()`;

/** As drawn, with names as long as they are: nodes on each other, red ones, and what lies outside of the picture. */
const MISTAKES = `(() => {
  const found = [];
  const frame = document.querySelector('.vue-flow').getBoundingClientRect();
  const boxes = [...document.querySelectorAll('.vue-flow__node')].map((node) => {
    const sticky = node.querySelector('[data-test-id="sticky"]') !== null;
    const parts = [node, ...node.querySelectorAll('[data-test-id="canvas-node-box-title"], [class*="_label_"]')].map((one) => one.getBoundingClientRect());
    return {
      node, sticky,
      name: node.querySelector('[data-node-name]')?.getAttribute('data-node-name') ?? node.textContent.trim().slice(0, 40),
      left: Math.min(...parts.map((one) => one.left)), right: Math.max(...parts.map((one) => one.right)),
      top: Math.min(...parts.map((one) => one.top)), bottom: Math.max(...parts.map((one) => one.bottom)),
    };
  });
  for (const [index, one] of boxes.entries()) {
    if (one.node.querySelector('[data-test-id="node-issues"]') !== null) found.push(one.name + ': the editor marks it red');
    if (one.left < frame.left || one.right > frame.right || one.top < frame.top || one.bottom > frame.bottom) found.push(one.name + ': it lies outside of the picture');
    const text = one.node.querySelector('[data-test-id="sticky"] [class*="sticky"], [data-test-id="sticky"]');
    for (const inner of one.sticky ? one.node.querySelectorAll('*') : []) {
      if (inner.scrollHeight > inner.clientHeight + 8 && inner.clientHeight > 40 && getComputedStyle(inner).overflowY !== 'visible') { found.push(one.name + ': its text is cut off'); break; }
    }
    if (one.sticky) continue;
    for (const other of boxes.slice(index + 1)) {
      if (!other.sticky && one.left < other.right - 1 && other.left < one.right - 1 && one.top < other.bottom - 1 && other.top < one.bottom - 1) found.push(one.name + ': it lies on "' + other.name + '"');
    }
  }
  return found;
})()`;
