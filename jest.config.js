// One project per kind of test, so that each can be run alone: `npx jest --selectProjects unit`.
const transform = {
  '^.+\\.ts$': [
    '@swc/jest',
    { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
  ],
};

const project = (name, options = {}) => ({
  displayName: name,
  testEnvironment: 'node',
  testMatch: [`<rootDir>/test/${name}/**/*.test.ts`],
  // The built package must not be found twice by jest's module map.
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/build/'],
  transform,
  setupFilesAfterEnv: ['<rootDir>/test/patience.js'],
  ...options,
});

module.exports = {
  projects: ['unit', 'contract', 'package', 'integration', 'e2e', 'chaos', 'long'].map((name) => project(name)),
};
