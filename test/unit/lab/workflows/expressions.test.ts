import { readExpression } from '../../../../lab/workflows/expressions';

test.each(['a[at]?.b', 'a?.[at]', 'a?.b[at].c', '(a[at])?.b', "$('Node').all()[at]?.json.text", 'a[f(1)]?.b'])(
  'n8n takes the key of %s for a name, which is said',
  (chain) => {
    const [mistake] = readExpression(`={{ (a => (at => (f => ${chain})))('x') }}`).mistakes;
    expect(mistake).toMatch(/^\[(at|f\(1\))\] in a chain with \?\. is read as \.(at|f\(1\)) by n8n: take \.at\(/);
  },
);

test.each([
  'a[at].b',
  'a[0]?.b',
  "a['b']?.c",
  'a[at.b]?.c',
  'a[at + 1]?.b',
  'a.at(at)?.b',
  'b?.c(a[at])',
  'a[at] ?? b',
])('with %s nothing is wrong', (chain) => {
  expect(readExpression(`={{ (a => (at => (b => ${chain})))('x') }}`).mistakes).toEqual([]);
});
