import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { escapeHtml } from '../../../../lib/alert/render/html';
import { statusPage } from '../../../../lib/alert/render/status-page';
import { exampleStatus } from '../../../shared/status-example';
import { chromium } from '../../../shared/chromium';

const folder = mkdtempSync(join(tmpdir(), 'selfhost-status-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const page = statusPage(exampleStatus);

/** The page in a frame as wide as a telephone, measured from outside because it runs no script itself. */
const frame = `<!doctype html><iframe style="width:360px;height:800px;border:0"></iframe><script>
const frame = document.querySelector('iframe');
frame.onload = () => {
  const inside = frame.contentDocument;
  const { scrollWidth, clientWidth } = inside.documentElement;
  document.title = JSON.stringify({
    fits: scrollWidth <= clientWidth,
    background: frame.contentWindow.getComputedStyle(inside.body).backgroundColor,
    bars: inside.querySelectorAll('svg.history rect').length,
    verdict: inside.querySelector('.verdict').textContent,
  });
};
frame.srcdoc = "${escapeHtml(page).replaceAll('\n', ' ')}".replace(/&(lt|gt|quot|#39|amp);/g, (_, name) => ({ lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' })[name]);
</script>`;

test.each([
  ['light', 'rgb(246, 247, 249)'],
  ['dark', 'rgb(15, 18, 21)'],
] as const)(
  'on a telephone that is set to %s the page fits its width and has its colours',
  async (scheme, background) => {
    const file = join(folder, 'frame.html');
    writeFileSync(file, frame);
    const dom = await chromium(folder, scheme, `file://${file}`, '--virtual-time-budget=3000', '--dump-dom');
    const title = /<title>(.*?)<\/title>/.exec(dom)?.[1]?.replaceAll('&quot;', '"') ?? 'null';
    expect(JSON.parse(title)).toEqual({ fits: true, background, bars: 240, verdict: '2 of 4 wrong' });
  },
);

test('a browser draws it', async () => {
  const file = join(folder, 'status.html');
  const picture = join(folder, 'status.png');
  writeFileSync(file, page);
  await chromium(folder, 'light', `file://${file}`, `--screenshot=${picture}`, '--window-size=800,900');
  expect(statSync(picture).size).toBeGreaterThan(10_000);
});
