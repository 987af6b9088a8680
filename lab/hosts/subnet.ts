import { randomInt } from 'node:crypto';
import { claimName, type Ledger } from './ledger';
import { run } from './programs';

/** The first three bytes of a /24 that nothing on this machine uses or routes, and no other lab has taken. */
export async function takeSubnet(ledger: Ledger): Promise<string> {
  const routes = JSON.parse(await run(['ip', '-json', '-4', 'route', 'show', 'table', 'all'])) as { dst: string }[];
  const used = routes.map(({ dst }) => rangeOf(dst)).filter((range) => range !== undefined);
  for (let attempt = 0; attempt < 200; attempt++) {
    const prefix = `10.${randomInt(16, 250)}.${randomInt(1, 255)}`;
    const range = rangeOf(`${prefix}.0/24`);
    if (range === undefined || used.some((other) => other.first <= range.last && range.first <= other.last)) continue;
    if (claimName(ledger, `subnet-${prefix}`)) return prefix;
  }
  throw new Error('No free /24 below 10.0.0.0/8: routes cover it all');
}

interface Range {
  readonly first: number;
  readonly last: number;
}

/** The addresses of `10.0.0.0/8`; nothing for the default route, which overlaps with everything on purpose. */
function rangeOf(destination: string): Range | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)(?:\/(\d+))?$/.exec(destination);
  if (!match) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = match.slice(1, 5).map(Number);
  const bits = Number(match.at(5) ?? 32);
  const size = 2 ** (32 - bits);
  const first = Math.floor((((a * 256 + b) * 256 + c) * 256 + d) / size) * size;
  return { first, last: first + size - 1 };
}

/** Runs `ip` commands, in a namespace when one is named. They are lines of names and numbers that only this lab makes. */
export async function ip(lines: readonly string[], namespace?: string): Promise<void> {
  const where = namespace === undefined ? [] : ['-n', namespace];
  await run(['ip', ...where, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}
