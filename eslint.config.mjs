import eslint from '@eslint/js';
import { n8nCommunityNodesPlugin } from '@n8n/eslint-plugin-community-nodes';
import { globalIgnores } from 'eslint/config';
import n8nNodesBase from 'eslint-plugin-n8n-nodes-base';
import tseslint from 'typescript-eslint';

const builtDescriptions = 'build/lint';
const ours = ['commands/**/*.ts', 'nodes/**/*.ts', 'credentials/**/*.ts', 'lib/**/*.ts', 'vendor/**/*.ts'];
const around = ['lab/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'];

/** Only relative imports and Node's own modules, and what is named here. */
const onlyImports = (allowed, message) => ({
  regex: `^(?!\\.{1,2}/|node:${allowed.map((name) => `|${name}$`).join('')})`,
  message,
});

const restrictImports = (files, patterns) => ({
  files,
  rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns }] },
});

export default tseslint.config(
  globalIgnores([
    'dist/',
    'coverage/',
    '.lab/',
    'build/*',
    `!${builtDescriptions}/`,
    `${builtDescriptions}/pack/`,
    'test/contracts/',
  ]),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },

  {
    files: [...ours, ...around],
    extends: [eslint.configs.recommended, tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Numbers and booleans read well in sentences; objects, which do not, are still refused.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // `() => void expression` adds nothing that the type does not say.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // `while (true)` with a return inside is the plain way to write a loop that ends in its middle.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // What only an interface or a pattern asks for is named with an underscore.
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'all' },
      ],
      // `import type` keeps a library out of the bundle where only its types are meant.
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      eqeqeq: 'error',
    },
  },

  // The layers: nodes -> lib -> vendor, one way.
  restrictImports(
    ['nodes/**/*.ts'],
    [
      onlyImports(['n8n-workflow'], 'Nodes import n8n-workflow and lib; a third-party library belongs into vendor/.'),
      { regex: '/vendor/', message: 'Nodes call lib; only lib loads a library.' },
      { regex: '/credentials/', message: 'A credential is named by its type, never imported.' },
    ],
  ),
  restrictImports(
    ['commands/**/*.ts'],
    [onlyImports([], 'Commands call lib.'), { regex: '/(nodes|credentials|vendor)/', message: 'Commands call lib.' }],
  ),
  restrictImports(
    ['credentials/**/*.ts'],
    [
      onlyImports(['n8n-workflow'], 'Credentials import n8n-workflow only.'),
      { regex: '/(nodes|vendor)/', message: 'Credentials import nothing of nodes and no library.' },
    ],
  ),
  restrictImports(
    ['lib/**/*.ts'],
    [
      onlyImports([], 'lib knows nothing of n8n, and loads third-party libraries only through vendor/.'),
      { regex: '/(nodes|credentials)/', message: 'lib is underneath: it knows nothing of nodes and credentials.' },
      {
        regex: '/vendor/',
        allowTypeImports: true,
        message: "A library is loaded on first use: const { Client } = await import('../../vendor/ssh2').",
      },
    ],
  ),
  restrictImports(
    ['vendor/**/*.ts'],
    [
      { regex: '^(n8n|@n8n/)', message: 'vendor/ is underneath: it knows nothing of n8n.' },
      { regex: '/(nodes|credentials|lib)/', message: 'vendor/ is underneath: it only re-exports its library.' },
    ],
  ),

  // Imports at run time pass by the rule above.
  {
    files: ['nodes/**/*.ts', 'credentials/**/*.ts', 'vendor/**/*.ts'],
    rules: {
      'no-restricted-syntax': ['error', { selector: 'ImportExpression', message: 'Only lib loads at run time.' }],
    },
  },
  {
    files: ['lib/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: 'ImportExpression:not([source.value=/^(\\.\\.?\\/|node:)/])',
          message: 'lib loads third-party libraries only through vendor/.',
        },
      ],
    },
  },

  {
    files: around,
    rules: {
      // Stand-ins and fakes are asynchronous because what they stand in for is.
      '@typescript-eslint/require-await': 'off',
      // `expect(object.method)` is how jest is used.
      '@typescript-eslint/unbound-method': 'off',
      // jest types its matchers, like expect.objectContaining, as any.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      // A test may be sure of what it has just put there.
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },

  // What n8n's own linter for packs that do not run in its cloud checks, on the built descriptions: its rules read
  // literals, and ours are computed, so `gulp literals` writes them out first. Everything is on but what is listed.
  {
    files: [`${builtDescriptions}/**/*.ts`],
    extends: [n8nCommunityNodesPlugin.configs.recommendedWithoutN8nCloudSupport],
    languageOptions: { parser: tseslint.parser },
    plugins: { 'n8n-nodes-base': n8nNodesBase },
    rules: {},
  },
  {
    files: [`${builtDescriptions}/nodes/**/*.ts`],
    rules: {
      ...n8nNodesBase.configs.nodes.rules,
      // Obsolete, and off in n8n's own preset: they know only one form of inputs, outputs and number limits.
      'n8n-nodes-base/node-class-description-inputs-wrong-regular-node': 'off',
      'n8n-nodes-base/node-class-description-outputs-wrong': 'off',
      'n8n-nodes-base/node-param-type-options-max-value-present': 'off',
      // "Facts" is what the resource is called; a single fact is nothing one asks for.
      'n8n-nodes-base/node-param-resource-with-plural-option': 'off',
      // Fields called secret… hold a reference to a secret (credential:NAME), which people must be able to read.
      'n8n-nodes-base/node-param-type-options-password-missing': 'off',
      // Our credentials are not all of an API, see below.
      'n8n-nodes-base/node-class-description-credentials-name-unsuffixed': 'off',
    },
  },
  {
    files: [`${builtDescriptions}/credentials/**/*.ts`],
    rules: {
      ...n8nNodesBase.configs.credentials.rules,
      // Obsolete: it wants the slug of a page of n8n's own docs, and ours is an address.
      'n8n-nodes-base/cred-class-field-documentation-url-miscased': 'off',
      // These three want every credential to be of an API. Ours are logins to hosts and services, called what they are,
      // and their names are API since the first release.
      'n8n-nodes-base/cred-class-name-unsuffixed': 'off',
      'n8n-nodes-base/cred-class-field-name-unsuffixed': 'off',
      'n8n-nodes-base/cred-class-field-display-name-missing-api': 'off',
      // Obsolete: it takes every field with "key" or "password" in its name for a secret.
      'n8n-nodes-base/cred-class-field-type-options-password-missing': 'off',
    },
  },
  {
    files: ['package.json'],
    extends: [n8nCommunityNodesPlugin.configs.recommendedWithoutN8nCloudSupport],
    languageOptions: { parser: tseslint.parser, parserOptions: { extraFileExtensions: ['.json'] } },
    plugins: { 'n8n-nodes-base': n8nNodesBase },
    rules: { ...n8nNodesBase.configs.community.rules },
  },
  {
    files: ['*.js', '*.mjs', 'packaging/**/*.js'],
    extends: [eslint.configs.recommended],
    languageOptions: {
      globals: Object.fromEntries(['require', 'module', 'process', '__dirname'].map((name) => [name, 'readonly'])),
    },
  },
);
