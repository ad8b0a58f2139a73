#include "worker/turn/admits.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { ANSWER_BYTES_MAX = 64 << 10 };

static bool word_char(char c) { return isalnum((unsigned char)c) || (unsigned char)c >= 0x80; }

/* "was not cut off", "nothing is missing", "nicht unvollständig": just before. */
static bool negated(struct str answer, size_t at)
{
    static const char *const no[] = {"not ",     "n't ",    "nothing ", "never ",  "nicht ",
                                     "keine ",   "nichts ", "neither ", "no son ", "no es ",
                                     "no está ", "没有",    "并未",     "并不",    "不是"};
    enum { BEFORE = 14 };
    size_t from = at > BEFORE ? at - BEFORE : 0;
    struct str before = {answer.at + from, at - from};
    if (before.len >= 3 && strncasecmp(before.at + before.len - 3, "no ", 3) == 0)
        return true;
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        for (size_t k = 0; k + strlen(no[i]) <= before.len; k++)
            if (strncasecmp(before.at + k, no[i], strlen(no[i])) == 0)
                return true;
    return false;
}

/* One of the phrases; those of letters at a word's beginning. A # is a number. */
static bool says(struct str answer, const char *const *phrases)
{
    if (answer.len > ANSWER_BYTES_MAX) /* at its end, where it says so if it does */
        answer = str_skip(answer, answer.len - ANSWER_BYTES_MAX);
    for (; *phrases; phrases++) {
        size_t len = strlen(*phrases);
        bool number = (*phrases)[len - 1] == '#';
        len -= number;
        for (size_t at = 0; at + len <= answer.len; at++) {
            if (tolower((unsigned char)answer.at[at]) != (unsigned char)(*phrases)[0])
                continue; /* most of it */
            bool begins =
                (unsigned char)(*phrases)[0] >= 0x80 || at == 0 || !word_char(answer.at[at - 1]);
            if (!begins || strncasecmp(answer.at + at, *phrases, len) != 0)
                continue;
            bool digit = at + len < answer.len && isdigit((unsigned char)answer.at[at + len]);
            if ((!number || digit) && !negated(answer, at))
                return true;
        }
    }
    return false;
}

bool admits_part(struct str answer)
{
    static const char *const phrases[] = {
        "partial", "incomplete", "truncat", "cut off", "was cut", "were cut", "is cut", "are cut",
        "missing data", "data is missing", "data are missing", "data was missing", "some data is",
        "not all", "not every", "only the first", "only part", "only a part", "left out",
        "not complete", "not whole", "not shown", "at least #", "more than are shown",
        "there may be more", "there are more", "could not be read", "couldn't be read", "excerpt",
        "a subset", "only the top", "only some", "limited to #", "has gaps", "have gaps", "gaps in",
        "some of the data", "part of the data", "could not be loaded", "couldn't be loaded",
        "others exist", "others are not", "the rest is not",
        /* German */
        "unvollst", "teilweise", "abgeschnitten", "nicht alle", "nicht vollst", "gekürzt",
        "daten fehlen", "fehlende daten", "es fehlen", "mindestens #", "nur ein teil",
        "nur einen teil", "nur die ersten", "ein teil der", "nur einige", "nur ein ausschnitt",
        "auszug", "lücken",
        /* Spanish */
        "parcial", "incomplet", "truncad", "faltan", "no todos", "no todas", "al menos #",
        "solo una parte", "sólo una parte", "recortad", "una parte de los", "solo algun",
        "sólo algun", "huecos",
        /* Chinese and Japanese */
        "部分", "不完整", "截断", "数据缺失", "缺失", "缺少", "不全", "至少", "一部", "不完全",
        "欠け", "欠損", "切り捨て", "切り詰め", "少なくとも", "すべてではな", "全てではな", "缺口",
        "只显示", "仅显示", "抜け", NULL};
    return says(answer, phrases);
}

bool admits_none(struct str answer)
{
    static const char *const phrases[] = {
        "no data", "no series", "no result", "no metric", "no such", "no sample", "no value",
        "no matching", "no information", "no log", "no line", "no entries", "not found", "not find",
        "not exist", "not available", "not collected", "not exposed", "not recorded", "not have",
        "not any data", "not return", "unavailable", "unable", "nothing match", "nothing was found",
        "nothing came", "nothing return", "returned nothing", "found nothing", "is empty",
        "are empty", "was empty", "were empty", "empty result", "came back empty", "cannot",
        "can't", "couldn't", "doesn't exist", "don't exist", "doesn't have", "don't have",
        "isn't any", "aren't any", "didn't return", "isn't available", "aren't available",
        "could not", "no record", "isn't collected", "isn't exposed", "isn't recorded",
        "aren't collected", "isn't there", "aren't there", "empty response", "empty answer",
        "nothing to show", "nothing there",
        /* German */
        "keine daten", "keine serie", "keine zeitreihe", "keine metrik", "keine ergebnis",
        "kein ergebnis", "keine werte", "keinen wert", "nicht gefunden", "nicht vorhanden",
        "nicht verfügbar", "leer", "nichts gefunden", "gibt es nicht", "existiert nicht",
        "wird nicht erfasst", "nicht erhoben", "liegen nicht vor",
        /* Spanish */
        "sin datos", "no hay datos", "no hay serie", "no hay métrica", "no hay result",
        "no se encontr", "no existe", "no devolvi", "no está disponible", "vacío", "vacía",
        "ningún dato", "ninguna serie", "ningún resultado", "no está en", "no están en",
        "no figura", "no se recoge",
        /* Chinese and Japanese */
        "没有数据", "没有任何数据", "没有找到", "未找到", "没有结果", "没有返回", "无数据", "为空",
        "不存在", "没有这", "没有该", "没有匹配", "没有查到", "查不到", "データがない",
        "データが存在しな", "データがあり", "データはあり", "データが見つか", "データなし",
        "見つかりません", "見つからな", "存在しません", "存在しない", "空です", "結果がありません",
        "結果はありません", "ありませんでした", NULL};
    return says(answer, phrases);
}
