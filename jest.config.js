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
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/build/', '<rootDir>/.lab/'],
  transform,
  setupFilesAfterEnv: ['<rootDir>/test/patience.js'],
  ...options,
});

// The real n8n is booted once for all files of the project: see test/e2e/README.md.
const particular = {
  e2e: {
    globalSetup: '<rootDir>/test/e2e/global-setup.ts',
    globalTeardown: '<rootDir>/test/e2e/global-teardown.ts',
    setupFilesAfterEnv: ['<rootDir>/test/e2e/patience.ts'],
  },
};

module.exports = {
  projects: ['unit', 'contract', 'package', 'integration', 'e2e', 'chaos', 'long'].map((name) =>
    project(name, particular[name]),
  ),
};
