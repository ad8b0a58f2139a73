import { Words } from './i18n';

export const de: Words = {};
