import { type Flow, type FlowNode, STICKY } from '../../lib/flows/flow';

interface Box {
  readonly name: string;
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** As n8n draws them: a square, and below it its name, which may be wider, and what it is set to. */
const NODE = { size: 96, nameHeight: 56, overhang: 40 };

/** Nodes that lie on each other, stick out of their sticky note or run from right to left. */
export function layoutMistakes(flow: Flow): readonly { node: string; message: string }[] {
  const found: { node: string; message: string }[] = [];
  const stickies = flow.nodes.filter(({ type }) => type === STICKY).map(stickyBox);
  const nodes = flow.nodes.filter(({ type }) => type !== STICKY).map(nodeBox);
  for (const [index, one] of nodes.entries()) {
    for (const other of nodes.slice(index + 1)) {
      if (overlap(one, other)) found.push({ node: one.name, message: `it lies on "${other.name}"` });
    }
    for (const sticky of stickies) {
      if (overlap(one, sticky) && !inside(one, sticky)) {
        found.push({ node: one.name, message: 'it lies half on a sticky note' });
      }
    }
    if (stickies.length > 0 && !stickies.some((sticky) => inside(one, sticky))) {
      found.push({ node: one.name, message: 'no sticky note says what it belongs to' });
    }
  }
  if (stickies.length === 0) found.push({ node: flow.name, message: 'no sticky note says what it does' });
  for (const [index, one] of stickies.entries()) {
    for (const other of stickies.slice(index + 1)) {
      if (overlap(one, other))
        found.push({ node: one.name, message: `the notes ${one.name} and ${other.name} overlap` });
    }
  }
  const places = new Map(flow.nodes.map(({ name, position }) => [name, position]));
  for (const { from, to } of flow.connections) {
    const [begin] = places.get(from) ?? [0];
    const [end] = places.get(to) ?? [0];
    if (end <= begin && !loops(flow, to, from)) {
      found.push({ node: to, message: `it stands left of "${from}", from which it comes` });
    }
  }
  return found;
}

/** A way back that closes a circle may run from right to left. */
function loops(flow: Flow, from: string, to: string): boolean {
  const reached = new Set([from]);
  for (const name of reached) {
    for (const connection of flow.connections) if (connection.from === name) reached.add(connection.to);
  }
  return reached.has(to);
}

function nodeBox({ name, position: [left, top] }: FlowNode): Box {
  return { name, left, top, right: left + NODE.size + NODE.overhang, bottom: top + NODE.size + NODE.nameHeight };
}

function stickyBox({ name, position: [left, top], parameters }: FlowNode): Box {
  const { width = 240, height = 160 } = parameters as { readonly width?: number; readonly height?: number };
  return { name, left, top, right: left + width, bottom: top + height };
}

function overlap(one: Box, other: Box): boolean {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}

function inside(one: Box, other: Box): boolean {
  return one.left >= other.left && one.right <= other.right && one.top >= other.top && one.bottom <= other.bottom;
}
