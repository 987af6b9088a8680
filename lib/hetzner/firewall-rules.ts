import { isObject, type Json, type JsonObject } from '../json';
import type { Task } from '../task';
import type { HetznerApi } from './api';
import { type Changed, changeItem, type Manner } from './change';
import { refuse } from './checks';
import type { Item } from './resource';
import { firewalls } from './resources/network';

export interface FirewallRule {
  readonly direction: 'in' | 'out';
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'esp' | 'gre';
  /** `443` or `8000-8010`; tcp and udp only. */
  readonly port: string | null;
  /** Networks it comes from (in) or goes to (out). */
  readonly addresses: readonly string[];
  readonly description: string | null;
}

const protocols = ['tcp', 'udp', 'icmp', 'esp', 'gre'] as const;
const mostRules = 500;

/** Reads rules as people and the API write them. */
export function readRule(value: unknown): FirewallRule {
  if (!isObject(value)) throw invalidRule('a rule is an object');
  const direction = value['direction'] ?? 'in';
  if (direction !== 'in' && direction !== 'out') throw invalidRule('its direction is "in" or "out"');
  const protocol = protocols.find((one) => one === value['protocol']);
  if (protocol === undefined) throw invalidRule(`its protocol is one of ${protocols.join(', ')}`);
  const addresses =
    value['addresses'] ?? value[direction === 'in' ? 'source_ips' : 'destination_ips'] ?? ([] as unknown);
  if (!Array.isArray(addresses) || !addresses.every((one) => typeof one === 'string') || addresses.length === 0) {
    throw invalidRule(
      `it names the networks ${direction === 'in' ? 'it allows traffic from' : 'it allows traffic to'} as "addresses"`,
    );
  }
  const port = value['port'] === undefined || value['port'] === null ? null : portOf(value['port']);
  const hasPorts = protocol === 'tcp' || protocol === 'udp';
  if (hasPorts && port === null) throw invalidRule(`with ${protocol} it has a port, like 443 or 8000-8010`);
  if (!hasPorts && port !== null) throw invalidRule(`with ${protocol} it has no port`);
  const description = typeof value['description'] === 'string' ? value['description'] : null;
  return { direction, protocol, port, addresses: addresses.map(normalAddress), description };
}

function portOf(value: unknown): string {
  const [, first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(String(value)) ?? [];
  const fine = (port: string) => Number(port) >= 1 && Number(port) <= 65535;
  if (first === undefined || !fine(first) || (last !== undefined && (!fine(last) || Number(last) < Number(first)))) {
    throw invalidRule('its port is a number from 1 to 65535, or a range of two');
  }
  return last === undefined ? first : `${first}-${last}`;
}

/** A bare address means that one alone. */
function normalAddress(address: string): string {
  const text = address.trim().toLowerCase();
  if (text.includes('/')) return text;
  return text.includes(':') ? `${text}/128` : `${text}/32`;
}

function invalidRule(mustBe: string) {
  return refuse('firewall rule', `A firewall rule cannot be used: ${mustBe}`, 'Correct the rules, and run it again.');
}

export interface RuleChange {
  readonly added: readonly FirewallRule[];
  readonly removed: readonly FirewallRule[];
}

export interface RulePlan extends RuleChange {
  readonly rules: readonly FirewallRule[];
  readonly same: boolean;
}

export type RuleWish =
  | { readonly kind: 'set'; readonly rules: readonly FirewallRule[] }
  | { readonly kind: 'add'; readonly rules: readonly FirewallRule[] }
  | { readonly kind: 'remove'; readonly rules: readonly FirewallRule[] };

/** All rules as they should be, and what that changes. The API only knows how to replace the whole list. */
export function planRules(present: readonly FirewallRule[], { kind, rules }: RuleWish): RulePlan {
  const keys = new Set(rules.map(keyOf));
  const has = new Set(present.map(keyOf));
  const wanted =
    kind === 'set'
      ? rules
      : kind === 'add'
        ? [...present, ...rules.filter((rule) => !has.has(keyOf(rule)))]
        : present.filter((rule) => !keys.has(keyOf(rule)));
  const unique = [...new Map(wanted.map((rule) => [keyOf(rule), rule])).values()];
  const kept = new Set(unique.map(keyOf));
  const added = unique.filter((rule) => !has.has(keyOf(rule)));
  const removed = present.filter((rule) => !kept.has(keyOf(rule)));
  return { rules: unique, added, removed, same: added.length === 0 && removed.length === 0 };
}

/** What a rule does; its description is no part of it, nor is the order of its networks. */
function keyOf({ direction, protocol, port, addresses }: FirewallRule): string {
  return JSON.stringify([direction, protocol, port, [...new Set(addresses)].sort()]);
}

export async function changeRules(
  api: HetznerApi,
  firewall: Item<typeof firewalls>,
  wish: RuleWish,
  manner: Manner,
  task: Task,
): Promise<Changed<Item<typeof firewalls>> & RuleChange> {
  const seen = firewall.rules.map(readRule);
  const { rules, added, removed } = planRules(seen, wish);
  if (rules.length > mostRules) {
    throw refuse(`firewall ${firewall.name}`, `A firewall has at most ${mostRules} rules`, 'Join networks into fewer.');
  }
  const changed = await changeItem(
    api,
    firewalls,
    {
      place: { id: firewall.id },
      command: 'set_rules',
      body: { rules: rules.map(asSent) },
      isDone: ({ rules: present }) => planRules(present.map(readRule), { kind: 'set', rules }).same,
      // The API replaces the whole list, so rules that came meanwhile would be lost without a word.
      check: ({ rules: present }) => {
        if (planRules(present.map(readRule), { kind: 'set', rules: seen }).same) return;
        throw refuse(
          `firewall ${firewall.name}`,
          `The rules of ${firewall.name} were changed by somebody else at this moment`,
          'Run it again: it starts from the rules that are there then.',
          'conflict',
        );
      },
    },
    manner,
    task,
  );
  return { ...changed, added, removed };
}

export function asSent({ direction, protocol, port, addresses, description }: FirewallRule): JsonObject {
  return {
    direction,
    protocol,
    ...(port !== null && { port }),
    ...(direction === 'in' ? { source_ips: addresses } : { destination_ips: addresses }),
    ...(description !== null && { description }),
  };
}

/** `server` ids and label selectors, as the API wants them. */
export function targetsOf(serverIds: readonly number[], labelSelectors: readonly string[]): readonly Json[] {
  return [
    ...serverIds.map((id) => ({ type: 'server', server: { id } })),
    ...labelSelectors.map((selector) => ({ type: 'label_selector', label_selector: { selector } })),
  ];
}
