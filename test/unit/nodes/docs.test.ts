import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { newPage, withOperations } from '../../../nodes/declaration/documentation';
import { root } from '../../../packaging/sources';
import { allNodes } from './allNodes';

const folder = path.join(root, 'docs', 'nodes');
const declarations = allNodes().flatMap(({ Node }) => (Node?.declaration === undefined ? [] : [Node.declaration]));

if (process.env['REWRITE'] === 'docs') {
  mkdirSync(folder, { recursive: true });
  for (const declaration of declarations) {
    const file = fileOf(declaration.name);
    const page = existsSync(file) ? readFileSync(file, 'utf8') : newPage(declaration);
    writeFileSync(file, withOperations(page, declaration));
  }
}

test('every declared node has a page whose operations are current; if one is not, run `npm run docs`', () => {
  const stale = declarations.filter((declaration) => {
    const file = fileOf(declaration.name);
    const page = existsSync(file) ? readFileSync(file, 'utf8') : '';
    return page === '' || withOperations(page, declaration) !== page;
  });
  expect(stale.map(({ name }) => `docs/nodes/${name}.md`)).toEqual([]);
});

function fileOf(name: string): string {
  return path.join(folder, `${name}.md`);
}
