import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../../../../packaging/sources';
import { pictureOf } from '../../../../../lib/postgres/replication/picture';
import { judge } from '../../../../../lib/postgres/replication/topology';
import { cluster, eva, member, receiver } from './members';

const file = path.join(root, 'docs', 'pictures', 'postgres-pair.svg');
const record = (promotable: boolean) => ({ record: { epoch: 3, primary: 'bruno', promotable } });
const bruno = member('bruno', { standbys: [eva], timeline: 3 }, record(false));
const standby = member('eva', { role: 'standby', timeline: 3, receiver }, record(true));

test('the picture in the docs is what the node draws', () => {
  const picture = pictureOf(judge(cluster, [bruno, standby]));
  if (process.env['REWRITE'] === 'docs') writeFileSync(file, picture);
  expect(readFileSync(file, 'utf8')).toBe(picture);
});

test('what a server says of itself cannot become markup', () => {
  const refuses = member('eva', {}, { server: { kind: 'refuses', why: '</text><script>alert("1")</script>' } });
  const picture = pictureOf(judge({ ...cluster, name: '<b>' }, [bruno, refuses]));
  expect(picture).not.toMatch(/<script|<b>/);
  expect(picture).toContain('&lt;script&gt;alert(&quot;1&quot;)');
});
