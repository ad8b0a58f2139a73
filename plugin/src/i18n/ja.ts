import { Words } from './i18n';

export const ja: Words = {};
