import { statusPage } from '../../../../../lib/alert/render/status-page';
import { exampleStatus } from '../../../../shared/status-example';

test('names and people cannot become markup', () => {
  const html = statusPage(exampleStatus);
  expect(html).toContain('<title>kua.cl &amp; &lt;friends&gt;</title>');
  expect(html).toContain('taken by Daniel &quot;D&quot; &lt;d@kua.cl&gt;');
  expect(html).not.toContain('<friends>');
});

test('it needs no script and nothing from elsewhere', () => {
  const html = statusPage(exampleStatus);
  expect(html).not.toMatch(/<script|<link|<img|@import|url\(|\ssrc=|href=/i);
  expect(html).toContain(`default-src 'none'; style-src 'unsafe-inline'`);
});

test.each([
  [{}, '2 of 4 wrong'],
  [{ groups: [] }, '1 open incident'],
  [{ groups: [], incidents: [] }, 'No open incident is known'],
  [{ groups: exampleStatus.groups.slice(1), incidents: [] }, '1 of 2 not known'],
  [
    { groups: [{ name: 'a', things: exampleStatus.groups[1]?.things.slice(0, 1) ?? [] }], incidents: [] },
    'All is well',
  ],
])('the verdict comes first and says no more than is known', (changes, verdict) => {
  expect(statusPage({ ...exampleStatus, ...changes })).toMatch(
    new RegExp(`<p class="verdict (ok|wrong|unknown)">${verdict}</p>`),
  );
});

test('a time without an answer is a gap in the line, not a point on it', () => {
  const html = statusPage(exampleStatus);
  const first = html.slice(html.indexOf('class="spark"'));
  expect(first.slice(0, first.indexOf('</svg>')).match(/<polyline/g)).toHaveLength(2);
});
