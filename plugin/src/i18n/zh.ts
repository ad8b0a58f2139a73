import { Words } from './i18n';

export const zh: Words = {};
