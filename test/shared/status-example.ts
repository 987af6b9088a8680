import type { StatusPage, Watched } from '../../lib/alert/render/status-page';

const DAY = 86_400_000;
const NOW = Date.parse('2026-01-31T12:00:00Z');

function watched(name: string, status: Watched['status'], bad: Readonly<Record<number, number | null>>): Watched {
  return {
    name,
    status,
    history: Array.from({ length: 60 }, (_, day) => {
      const wrong = bad[day];
      return { label: `day ${day}`, wrongMs: wrong === undefined ? 0 : wrong };
    }),
    latencies: Array.from({ length: 80 }, (_, index) =>
      index > 50 && index < 56 ? null : Math.round(80 + 40 * Math.sin(index / 5) + (index % 7) * 6),
    ),
  };
}

const bruno = {
  fingerprint: '0123456789abcdef',
  target: 'bruno',
  labels: { kind: 'host', host: 'bruno' },
  severity: 'critical',
  evidence: 'no answer on port 22',
  problem: 'is unreachable',
  wrong: true,
  flapping: false,
  startedAt: NOW - 720_000,
} as const;

/** An estate on a bad day, with names that try to be markup and a word that does not fit a telephone. */
export const exampleStatus: StatusPage = {
  title: 'kua.cl & <friends>',
  at: NOW,
  zone: 'America/Santiago',
  incidents: [
    {
      number: 42,
      severity: 'critical',
      summary: '15 things wrong because bruno is unreachable',
      openedAt: NOW - 720_000,
      things: [bruno],
      effects: [],
      acknowledged: { by: 'Daniel "D" <d@kua.cl>', why: 'on it', at: NOW },
    },
  ],
  groups: [
    {
      name: 'bruno',
      things: [
        watched('bruno', 'wrong', { 3: DAY / 500, 40: DAY / 4, 59: DAY / 2 }),
        watched(`media.${'x'.repeat(90)}.kua.cl`, 'wrong', { 59: DAY / 2 }),
      ],
    },
    {
      name: 'eva',
      things: [
        watched('photos.kua.cl', 'ok', { 20: 60_000 }),
        { ...watched('plex.kua.cl', 'unknown', { 0: null, 1: null, 2: null }), latencies: [] },
      ],
    },
  ],
};
