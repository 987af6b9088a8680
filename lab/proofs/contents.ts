import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../folders';
import { proofFolder, proofOf, type Proof } from './page';

const ending = '.test.ts';

/** The names of all long tests, `flows/sentinel-acts`. */
export function longTests(): readonly string[] {
  return readdirSync(join(repository, 'test', 'long'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(ending))
    .map((file) => file.slice(0, -ending.length))
    .toSorted();
}

export function readProof(name: string): Proof | undefined {
  const file = join(proofFolder, `${name}.md`);
  return existsSync(file) ? proofOf(readFileSync(file, 'utf8')) : undefined;
}

/** The first page of `docs/proofs`: which long test passed when, and of what. */
export function contents(): string {
  return [
    '# What the long tests showed',
    '',
    'One page for each file of `test/long`, written by `npm run test:long`: when it last passed, at which commit, and what it printed. The [bench of failover](bench) has pages of its own.',
    '',
    ...longTests().map((name) => {
      const proof = readProof(name);
      if (proof === undefined) return `- ${name}: **not seen to pass**`;
      return `- [${name}](${name}.md): ${proof.passed} of ${proof.tests}, ${proof.at.slice(0, 10)}, ${proof.commit.slice(0, 10)}`;
    }),
    '',
  ].join('\n');
}
