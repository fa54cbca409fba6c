/** One project a tier; `scripts/test.mjs` runs them and says what this machine cannot run. */
const tier = (name, testMatch, extra = {}) => ({
  displayName: name,
  rootDir: import.meta.dirname,
  testMatch: testMatch.map((glob) => `<rootDir>/test/${glob}`),
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts', '.sh', '.css', '.yml'],
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'sh', 'css', 'yml'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '\\.(sh|css|yml)$': '<rootDir>/scripts/jest-text.mjs',
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  ...extra,
});

export default {
  // Against hangs alone: machines are shared, and speed is measured in benchmarks.
  testTimeout: 120_000,
  projects: [
    tier('unit', ['**/*.test.ts'], {
      testPathIgnorePatterns: ['\\.(conformance|lab)\\.test\\.ts$'],
    }),
    tier('conformance', ['**/*.conformance.test.ts']),
    tier('lab', ['**/*.lab.test.ts']),
  ],
};
